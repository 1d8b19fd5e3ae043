"""The list of controls: one small file per rule of the list in the docs, and the one tuple that the gate asks.

The order is that of the rule book: states, identity, sanity, price, size, exposure, loss, rate, integrity. It decides
no verdict, for every control is asked; it is the order in which a person reads the reasons, the broadest first. To add
a control, write `cNN_words.py` with `judge` (and `largest_value` where size alone can cure it) and add its line here.
"""

from plimsoll.risk.gate.controls import (
    c01_state,
    c02_reconciled,
    c05_identity,
    c08_intent_key,
    c09_sanity,
    c10_steps_and_minimums,
    c11_instrument,
    c13_stop_side,
    c15_price_age,
    c16_collar,
    c18_market_order,
    c22_order_value,
    c27_position_value,
    c28_exposure,
    c31_leverage,
    c32_load,
    c34_free_funds,
    c36_reduce_only,
    c38_drawdown,
    c45_repeat,
    c50_parity,
    c51_intent_age,
)
from plimsoll.risk.gate.verdict import Control

CONTROLS: tuple[Control, ...] = (
    c01_state.CONTROL,
    c02_reconciled.CONTROL,
    c05_identity.CONTROL,
    c08_intent_key.CONTROL,
    c09_sanity.CONTROL,
    c10_steps_and_minimums.CONTROL,
    c11_instrument.CONTROL,
    c13_stop_side.CONTROL,
    c15_price_age.CONTROL,
    c16_collar.CONTROL,
    c18_market_order.CONTROL,
    c22_order_value.CONTROL,
    c27_position_value.CONTROL,
    c28_exposure.CONTROL,
    c31_leverage.CONTROL,
    c32_load.CONTROL,
    c34_free_funds.CONTROL,
    c36_reduce_only.CONTROL,
    c38_drawdown.CONTROL,
    c45_repeat.CONTROL,
    c50_parity.CONTROL,
    c51_intent_age.CONTROL,
)
