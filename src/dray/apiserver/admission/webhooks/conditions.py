"""Whether the match conditions of a webhook hold for a write."""

from dray.api import errors
from dray.apiserver.admission.conditions import MatchConditions, MatchFault
from dray.apiserver.admission.policies.evaluation import Activation
from dray.apiserver.admission.policies.patience import patiently
from dray.apiserver.admission.view import Form, View


async def holds(conditions: MatchConditions, view: View, form: Form) -> bool:
    """Raises Forbidden when it cannot be told."""
    try:
        return await patiently(
            view, form, None, lambda values, meter: conditions.match(Activation(meter, values, {}))
        )
    except MatchFault as fault:
        asked = view.asked
        raise errors.forbidden(asked.group, asked.plural, view.request.name, str(fault)) from None
