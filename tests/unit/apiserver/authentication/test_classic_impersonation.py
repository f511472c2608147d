"""Acting as others without the constrained form: the permissions asked for and the words, as kube-apiserver has them."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from dray.api import errors
from dray.apiserver.access import Attributes, Decision
from dray.apiserver.authentication.impersonation import impersonate, wanted_user
from dray.apiserver.registry.kind import User

ALICE = User("alice", ("devs",))


class Refusing:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(False, "")


def wanted(*headers: tuple[str, str]) -> User | None:
    return wanted_user(CIMultiDictProxy(CIMultiDict(headers)), constrained=False)


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ((("Impersonate-Group", "g1"), ("Impersonate-Group", "g2")), "[{Group  g1    } {Group  g2    }]"),
        ((("Impersonate-Uid", "u1"),), "[{UID  u1  authentication.k8s.io/v1  }]"),
        (
            (("Impersonate-Uid", "u1"), ("Impersonate-Extra-x%2fy", "c"), ("Impersonate-Group", "g1")),
            "[{Group  g1    } {UserExtra  c  authentication.k8s.io/v1  x/y} {UID  u1  authentication.k8s.io/v1  }]",
        ),
    ],
)
def test_groups_without_a_user_are_named_as_references(
    headers: tuple[tuple[str, str], ...], shown: str
) -> None:
    with pytest.raises(errors.BadRequest) as refused:
        wanted(*headers)
    assert str(refused.value) == f"requested {shown} without impersonating a user"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "bob",
            'users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the',
        ),
        (
            "system:node:n",
            'users "system:node:n" is forbidden: User "alice" cannot impersonate resource "users"',
        ),
        (
            "system:serviceaccount:a:b",
            'serviceaccounts "b" is forbidden: User "alice" cannot impersonate resource',
        ),
    ],
)
def test_refusal_names_the_classic_permission(name: str, text: str) -> None:
    request = Attributes(ALICE, "create", group="authentication.k8s.io", resource="selfsubjectreviews")
    asked = wanted(("Impersonate-User", name))
    assert asked is not None
    with pytest.raises(errors.Forbidden) as refused:
        impersonate(ALICE, asked, Refusing(), request, constrained=False)
    assert str(refused.value).startswith(text)
