"""Settings of bots in the shapes in which their makers publish them, with values that calculators and guides show."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]


def three_commas(base: float, safety: float, count: int, step: float, volume: float, scale: float) -> Settings:
    """The classic settings, as an answer has them: numbers are text."""
    return {
        "id": 1234567,
        "name": "example",
        "strategy": "long",
        "base_order_volume": str(base),
        "base_order_volume_type": "quote_currency",
        "safety_order_volume": str(safety),
        "safety_order_volume_type": "quote_currency",
        "max_safety_orders": count,
        "active_safety_orders_count": 3,
        "safety_order_step_percentage": str(step),
        "martingale_volume_coefficient": str(volume),
        "martingale_step_coefficient": str(scale),
        "take_profit": "1.5",
        "take_profit_type": "total",
        "custom_safety_steps": [],
    }


OKX: Settings = {
    "instId": "BTC-USDT",
    "algoOrdType": "spot_dca",
    "direction": "long",
    "initOrdAmt": "100",
    "safetyOrdAmt": "50",
    "maxSafetyOrds": "3",
    "pxSteps": "0.03",
    "pxStepsMult": "1.2",
    "volMult": "1.5",
    "tpPct": "0.05",
}
BYBIT: Settings = {
    "symbol": "BTCUSDT",
    "martingale_mode": 1,
    "leverage": "1",
    "price_float_percent": "0.015",
    "add_position_percent": "1.1",
    "add_position_num": 5,
    "init_margin": "1000",
    "round_tp_percent": "0.03",
}
VELES_SIMPLE: Settings = {
    "name": "overlap 40",
    "algorithm": "LONG",
    "deposit": {"amount": 1000, "leverage": 1, "marginType": "CROSS"},
    "settings": {
        "type": "SIMPLE",
        "includePosition": True,
        "orders": 15,
        "martingale": 30,
        "indent": 0,
        "overlap": 40,
        "priceStrategy": "LINEAR",
        "logarithmicFactor": None,
    },
    "profit": {"type": "SINGLE", "currency": "QUOTE", "percent": 1.2},
}
VELES_CUSTOM: Settings = {
    "algorithm": "LONG",
    "settings": {
        "type": "CUSTOM",
        "orders": [{"indent": 0, "volume": 10}, {"indent": 2.5, "volume": 30}, {"indent": 8, "volume": 60}],
    },
}
HUMMINGBOT: Settings = {
    "type": "dca_executor",
    "connector_name": "binance",
    "trading_pair": "BTC-USDT",
    "side": 1,
    "prices": [50000, 49000, 45000],
    "amounts_quote": ["20", "40", "80"],
    "take_profit": "0.02",
    "mode": "MAKER",
}
GAINIUM: Settings = {
    "settings": {
        "name": "fibonacci",
        "strategy": "LONG",
        "baseOrderSize": "10",
        "orderSizeType": "quote",
        "useDca": True,
        "dcaCondition": "custom",
        "dcaCustom": [{"step": "1", "size": "10", "uuid": "a"}, {"step": "2", "size": "20", "uuid": "b"}],
        "tpPerc": "1",
    }
}

EXAMPLES = {
    "base-100": (three_commas(100, 50, 8, 1, 1.5, 1.5), (32.1, 57.4), (16.7, 20.9)),
    "base-20": (three_commas(20, 40, 8, 0.5, 1.1, 1.55), (24.4, 30.6), (8.6, 10.6)),
    "equal-sizes": (three_commas(20, 40, 15, 2, 1, 1), (19.4, 21.0), (8.5, 9.4)),
    "overlap-40": (VELES_SIMPLE, (12.7, 17.3), (8.7, 10.3)),
    "overlap-16": (three_commas(10, 20, 3, 4.3956043956, 2, 1.2), (4.77, 10.8), (4.95, 8.0)),
    "okx": (OKX, (5.79, 8.94), None),
}
"""Public examples: settings, own largest need at fills and on the path, and those of the ladder found beside."""


def rounded(value: float, like: float) -> float:
    """A number with the decimals of another, of which two are shown below 10 and one above."""
    return round(value, 2 if like != round(like, 1) else 1)
