// The calculator of the report: the orders of `mlab place`, to the last digit, in a page without a network.
//
// Functions are named as those of Python that they mirror. Counts, such as ticks and steps, are BigInt; every other
// number is a fraction {n, d} of them, none below 0, which is as exact as Python's decimals are.

const PARTS = 10n ** 14n, FREE_DIGITS = 9, MOST = 10n ** 12n;

const fraction = (n, d = 1n) => ({n, d});
const plus = (a, b) => a.d === b.d ? {n: a.n + b.n, d: a.d} : {n: a.n * b.d + b.n * a.d, d: a.d * b.d};
const minus = (a, b) => plus(a, {n: -b.n, d: b.d});
const times = (a, b) => ({n: a.n * b.n, d: a.d * b.d});
const over = (a, b) => ({n: a.n * b.d, d: a.d * b.n});
const less = (a, b) => a.n * b.d < b.n * a.d;
const larger = (a, b) => a > b ? a : b;
const ten_to = power => power < 0 ? fraction(1n, 10n ** BigInt(-power)) : fraction(10n ** BigInt(power));
const ZERO = fraction(0n), ONE = fraction(1n), PERCENT = fraction(1n, 100n), AT_MARKET = fraction(101n, 100n);

// Rounding: to the whole number below, above, nearest with halves going up, and nearest with halves going to the even.
const down = ({n, d}) => n / d;
const up = ({n, d}) => (n + d - 1n) / d;
const nearest = ({n, d}) => (2n * n + d) / (2n * d);
const half_even = ({n, d}) => {
  const whole = n / d, rest = 2n * (n % d);
  return whole + (rest > d || (rest === d && whole % 2n === 1n) ? 1n : 0n);
};

// decimal.Decimal.adjusted: the power of ten of the first digit.
function adjusted(value) {
  const power = String(value.n).length - String(value.d).length;
  return less(value, ten_to(power)) ? power - 1 : power;
}

// decimal.Context(prec=count).plus: so many digits.
function digits(value, count, rounded) {
  const unit = ten_to(adjusted(value) - count + 1);
  return times(fraction(rounded(over(value, unit))), unit);
}
const UP = value => plain(digits(value, 6, up)), DOWN = value => plain(digits(value, 6, down));
const NINE = value => plain(digits(value, 9, half_even));

// mlab.market.rules.decimal: the number that a text says, null where it says none.
function decimal(text) {
  const [match, whole, part, power] = /^\s*\+?(\d*)\.?(\d*)(?:e([+-]?\d{1,3}))?\s*$/i.exec(text) ?? [];
  if (match === undefined || !(whole + part)) return null;
  const count = (whole + part).replace(/^0+/, ""), last = Number(power ?? 0) - part.length;
  if (count.length > 40 || (count && Math.abs(count.length - 1 + last) > 30)) return null;
  return count ? times(fraction(BigInt(count)), ten_to(last)) : ZERO;
}

// mlab.market.rules.plain: a number whose divisor is a power of ten, as it is typed.
function plain({n, d}) {
  const places = String(d).length - 1, text = String(n).padStart(places + 1, "0"), point = text.length - places;
  return places ? `${text.slice(0, point)}.${text.slice(point)}`.replace(/\.?0+$/, "") : text;
}

// mlab.market.rules.Market
const money = (market, quantity, price) => times(times(quantity, market.contract_size), market.inverse ? ONE : price);
const coins = (market, quantity, price) => over(times(quantity, market.contract_size), market.inverse ? price : ONE);

// mlab.placing.grid.Grid.of
function grid_of(market, budget, price) {
  const last_digit = value => ten_to(adjusted(value) - FREE_DIGITS + 1);
  const tick = market.tick.n ? market.tick : last_digit(price);
  const whole = over(budget, money(market, ONE, price)), most = market.most_quantity;
  const step = market.step.n ? market.step : last_digit(most.n && less(most, whole) ? most : whole);
  const unit = money(market, step, tick), least = over(market.least_money, unit);
  return {
    market, tick, step, unit, entry: over(price, tick),
    budget: down(over(budget, unit)),
    lowest: larger(1n, up(over(times(market.lowest_share, price), tick))),
    least_quantity: larger(1n, up(over(market.least_quantity, step))),
    least_money: up(least), least_at_market: up(times(least, AT_MARKET)),
  };
}

// mlab.placing.grid.Grid.least_steps
function least_steps(grid, weight, at_market) {
  return larger(grid.least_quantity, up(fraction(at_market ? grid.least_at_market : grid.least_money, weight)));
}

// mlab.placing.grid.Grid.dearest
function dearest(entry, lowest, grid) {
  const weigh = at => grid.market.inverse ? 1n : at, weight = weigh(entry), least = grid.least_money - 1n;
  const first = least_steps(grid, weight, true) * weight, edge = least / least_steps(grid, weight, false);
  return larger(first, least >= 0n && edge >= weigh(lowest) ? least + edge : 0n);
}

// mlab.placing.orders.PlacementError
class PlacementError extends Error {
  constructor(rule, order, reason, remedy) { super(`${rule}: order ${order} ${reason}; ${remedy}`); }
}

const sum = values => values.reduce((total, value) => total + value, 0n);
const largest_of = (values, may = () => true) => // the first of them, as max() of Python
  values.reduce((best, value, k) => may(k) && (best < 0 || value > values[best]) ? k : best, -1);

// mlab.placing.orders.make
function make(ladder, grid) {
  const ticks = ladder.depths.map(depth => nearest(times(fraction(PARTS - depth, PARTS), grid.entry)));
  check_prices(ticks, ladder.depths, grid);
  const weights = ticks.map(at => grid.market.inverse ? 1n : at);
  const least = weights.map((weight, k) => least_steps(grid, weight, k === 0));
  const floors = least.map((count, k) => count * weights[k]);
  check_budget(floors, weights, dearest(ticks[0], ticks.at(-1), grid), grid);
  const worth = ladder.shares.map((share, k) => ladder.sizing === "quote" ? share : share * ticks[k]);
  const {rest, whole, low} = lifted(worth, floors, grid.budget);
  const wanted = k => nearest(fraction(worth[k] * rest, whole * weights[k]));
  const steps = least.map((count, k) => low.has(k) ? count : larger(count, wanted(k)));
  take_back(steps, weights, least, grid.budget);
  check_sizes(steps, weights, worth, floors, grid);
  const orders = ticks.map((at, k) => {
    const price = times(fraction(at), grid.tick), quantity = times(fraction(steps[k]), grid.step);
    return {price, quantity, money: money(grid.market, quantity, price), coins: coins(grid.market, quantity, price)};
  });
  return {orders, lifted: [...low].sort((a, b) => a - b).map(k => String(k + 1))};
}

// mlab.placing.orders._lifted
function lifted(worth, floors, budget) {
  const low = new Set();
  let rest = budget, whole = sum(worth);
  for (;;) {
    const below = [...worth.keys()].filter(k => !low.has(k) && worth[k] * rest < floors[k] * whole);
    if (!below.length) return {rest, whole, low};
    below.forEach(k => low.add(k));
    rest -= sum(below.map(k => floors[k]));
    whole -= sum(below.map(k => worth[k]));
  }
}

// mlab.placing.orders._take_back
function take_back(steps, weights, least, budget) {
  const cost = steps.map((count, k) => count * weights[k]);
  for (let spent = sum(cost); spent > budget;) {
    const largest = largest_of(cost, k => steps[k] > least[k]);
    steps[largest] -= 1n;
    cost[largest] -= weights[largest];
    spent -= weights[largest];
  }
}

// mlab.placing.orders._check_prices
function check_prices(ticks, depths, grid) {
  const {market, tick, entry, lowest} = grid, most = Number(market.most_orders);
  const price = at => plain(times(fraction(at), tick)), coarse = `for a tick is ${plain(tick)}`;
  if (0 < most && most < ticks.length) {
    const reason = `is one more than the ${most} open orders that ${market.symbol} takes`;
    throw new PlacementError("most_orders", most + 1, reason, `at most ${most} orders would do`);
  }
  ticks.slice(1).forEach((below, k) => {
    if (below > 0n && below < ticks[k]) return;
    const where = below <= 0n ? "0" : `${price(ticks[k])} like the one before it`;
    throw new PlacementError("tick", k + 2, `would be at ${where}, ${coarse}`, apart(depths, grid));
  });
  ticks.forEach((at, k) => {
    if (at >= lowest) return;
    const reason = `at ${price(at)} is below ${plain(market.lowest_share)} of the entry price`;
    const deepest = minus(ONE, over(fraction(lowest), entry));
    const most = deepest.n > 0n ? `an overlap of at most ${DOWN(over(deepest, PERCENT))} %` : "no overlap";
    throw new PlacementError("lowest_share", k + 1, reason, `${most} would do`);
  });
}

// mlab.placing.orders._apart
function apart(depths, {tick, entry, lowest}) {
  const least = digits(over(fraction(100n), entry), 6, up), last = depths.at(-1);
  const fit = !less(over(fraction(last, PARTS), PERCENT), times(least, fraction(BigInt(depths.length))));
  if (fit && nearest(times(fraction(PARTS - last, PARTS), entry)) >= lowest)
    return `search with ladder.limits.min_indent_step_pct=${plain(least)} or more`;
  const gaps = depths.slice(1).map((depth, k) => depth - depths[k]);
  const narrowest = gaps.reduce((a, b) => a < b ? a : b, PARTS - last);
  return narrowest <= 0n ? "no price would do" : `a price of ${UP(times(tick, fraction(PARTS, narrowest)))} would do`;
}

// mlab.placing.orders._check_budget
function check_budget(floors, weights, least, {market, step, unit, budget, least_quantity}) {
  const needed = sum(floors), worth = count => UP(times(fraction(count), unit));
  if (needed <= budget) return;
  const dearest = largest_of(floors), fewer = budget / least;
  const quantity = less(market.least_quantity, step) ? "step" : "least_quantity";
  const rule = floors[dearest] > least_quantity * weights[dearest] ? "least_money" : quantity;
  const remedy = `a budget of ${worth(needed)} would do${fewer > 1n ? `, or at most ${fewer} orders` : ""}`;
  throw new PlacementError(rule, dearest + 1, `must be at least ${worth(floors[dearest])} ${market.quote}`, remedy);
}

// mlab.placing.orders._check_sizes
function check_sizes(steps, weights, worth, floors, {market, step, unit}) {
  const most = down(over(market.most_quantity, step)), largest = largest_of(steps);
  if (most === 0n || steps[largest] <= most) return;
  const quantity = count => plain(times(fraction(count), step)), keys = [...steps.keys()];
  const reason = `would be ${quantity(steps[largest])}, the most is ${quantity(most)}`;
  const first = keys.reduce((best, k) => worth[best] * weights[k] < worth[k] * weights[best] ? k : best);
  const money = sum(keys.map(k => larger(floors[k], most * weights[first] * worth[k] / worth[first])));
  const enough = digits(times(fraction(money), unit), 6, down), least = times(fraction(sum(floors)), unit);
  const may = keys.every(k => floors[k] <= most * weights[k]);
  const budget = may ? `a budget of ${plain(less(enough, least) ? least : enough)}` : "no budget";
  throw new PlacementError("most_quantity", largest + 1, reason, `${budget} would do`);
}

// mlab.report.placed.rows, all as texts
function rows(orders, take_profit, fee) {
  const percent = share => plain(fraction(half_even(times(share, fraction(10n ** 8n))), 10n ** 6n));
  const profit = plus(ONE, times(take_profit, PERCENT)), part = times(fee, PERCENT);
  let spent = ZERO, held = ZERO;
  return orders.map((order, k) => {
    [spent, held] = [plus(spent, order.money), plus(held, order.coins)];
    const average = over(spent, held), above = over(average, order.price);
    return {
      order: String(k + 1),
      deviation_from_first_pct: percent(minus(ONE, over(order.price, orders[0].price))),
      price: plain(order.price),
      quantity: plain(order.quantity),
      money: NINE(order.money),
      spent: NINE(spent),
      average: NINE(average),
      break_even_pct: percent(minus(over(times(above, plus(ONE, part)), minus(ONE, part)), ONE)),
      take_profit_pct: percent(minus(times(above, profit), ONE)),
    };
  });
}

// The texts of mlab.report.placed.COLUMNS: percentages are doubles of two decimals, of ties, odd eighths, the even one.
function shown(row) {
  const tie = value => Number.isInteger(value * 8) && !Number.isInteger(value * 4);
  const hundredths = value => tie(value) ? 2 * Math.round(value * 50) / 100 : value;
  return Object.entries(row).map(([key, text]) => key.endsWith("_pct") ? hundredths(Number(text)).toFixed(2) : text);
}

// mlab.report.summary.as_csv
const as_csv = table => [Object.keys(table[0]), ...table.map(Object.values)].map(row => `${row.join(",")}\n`).join("");

// What is typed wrong, and in which field.
class FieldError extends Error {
  constructor(field, reason) { super(`${field}: ${reason}`); this.field = field; }
}

// mlab.cli.place.NUMBER and mlab.market.entry.Entry.may: the number of a field, which may be empty where it is a rule.
function number(typed, field) {
  const text = typed[field].trim(), value = text ? decimal(text) : ZERO;
  if (["budget", "price", "take_profit"].includes(field)) {
    const must = text ? `must be a number above 0, at most 1e12, was '${text}'` : "must be given to see the orders";
    if (!value?.n || less(fraction(MOST), value)) throw new FieldError(field, must);
  } else if (value === null || (field === "fee" && less(fraction(10n), value))) {
    throw new FieldError(field, `must be a number from 0 ${field === "fee" ? "to 10" : "up"}, was '${text}'`);
  }
  return value;
}

// The rules of a market: those that are typed, and those of the run that have no field.
function market_of(fixed, typed) {
  const market = {...fixed, quote: typed.quote};
  for (const rule of ["most_quantity", "lowest_share", "contract_size"]) market[rule] = decimal(fixed[rule]);
  for (const rule of ["tick", "step", "least_quantity", "least_money"]) market[rule] = number(typed, rule);
  for (const rule of ["step", "least_quantity"]) // mlab.market.files.checked
    if (market.most_quantity.n && less(market.most_quantity, market[rule]))
      throw new FieldError(rule, `must not be above most_quantity ${fixed.most_quantity}, was '${typed[rule]}'`);
  return market;
}

// mlab.placing.place, from the data of mlab.report.calculator.ladder and the texts of its fields
function place({depths, shares, sizing, market: fixed}, typed) {
  const market = market_of(fixed, typed), budget = number(typed, "budget"), price = number(typed, "price");
  const ladder = {depths: depths.map(BigInt), shares: shares.map(BigInt), sizing};
  const {orders, lifted} = make(ladder, grid_of(market, budget, price));
  const spent = plain(orders.map(order => order.money).reduce(plus));
  const words = [`Spends ${spent} of ${plain(budget)} ${market.quote}.`];
  const raised = lifted.join(", ");
  if (raised) words.push(`Lifted to the least order of the exchange: ${raised}; the others pay for it.`);
  return {table: rows(orders, number(typed, "take_profit"), number(typed, "fee")), words: words.join(" ")};
}
