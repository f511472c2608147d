"""Whether the match conditions of a webhook hold for a write."""

from dray.api import errors
from dray.apiserver.admission.conditions import MatchConditions, MatchFault
from dray.apiserver.admission.policies.evaluation import Activation
from dray.apiserver.admission.policies.patience import patiently
from dray.apiserver.admission.policies.values import values_of
from dray.apiserver.admission.view import Form, View


async def holds(conditions: MatchConditions, view: View, form: Form) -> bool:
    """Raises Forbidden when it cannot be told."""
    try:
        return await patiently(
            view,
            lambda ask, meter: conditions.match(Activation(meter, values_of(view, form, ask=ask), {})),
        )
    except MatchFault as fault:
        asked = view.asked
        raise errors.forbidden(asked.group, asked.plural, view.request.name, str(fault)) from None
