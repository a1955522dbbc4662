// What the report does in a browser: tables are sorted and filtered, links open what they lead to, ladders are placed.

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("th")];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => row.cells[column].textContent.trim().replace(/^\*/, "").replace(/,/g, "");
    const body = table.tBodies[0];
    [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)], [m, n] = [parseFloat(x), parseFloat(y)];
      const order = Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n;
      return down ? -order : order;
    }).forEach(row => body.append(row));
  }));
}
for (const filters of document.querySelectorAll(".filters")) {
  const rows = [...filters.parentElement.querySelector("table[data-filtered]").tBodies[0].rows];
  const fields = [...filters.querySelectorAll("[data-filter]")];
  const apply = () => rows.forEach(row => {
    row.hidden = !fields.every(field => !field.value || (field.dataset.filter === "text"
      ? row.textContent.toLowerCase().includes(field.value.toLowerCase())
      : row.dataset[field.dataset.filter] === field.value));
  });
  fields.forEach(field => field.addEventListener("input", apply));
}
const reveal = hash => {
  const place = document.getElementById(hash.slice(1));
  if (place instanceof HTMLDetailsElement) place.open = true;
  if (place) place.scrollIntoView();
};
document.querySelectorAll("a[href^='#']").forEach(link => link.addEventListener("click", () => reveal(link.hash))); // MLflow's frame goes nowhere else
reveal(location.hash);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));

for (const time of document.querySelectorAll("time")) { // the rules of an exchange change
  const days = Math.floor((Date.now() - new Date(time.dateTime)) / 864e5);
  time.textContent = `(${days} day${days === 1 ? "" : "s"} ago)`;
}

// Calculators: the fields are those of calculator.js, and what is typed into one is typed into all, for it is one market.

const calculators = [...document.querySelectorAll(".calculator")];
const calculate = calculator => {
  const fields = [...calculator.querySelectorAll("input")], result = calculator.querySelector(".result");
  const typed = Object.fromEntries(fields.map(field => [field.name, field.value]));
  fields.forEach(field => field.setCustomValidity(""));
  let table = [], words;
  try {
    ({table, words} = place(JSON.parse(calculator.dataset.ladder), typed));
  } catch (error) {
    if (!(error instanceof PlacementError || error instanceof FieldError)) throw error;
    words = error.message;
    fields.find(field => field.value && field.name === error.field)?.setCustomValidity(words);
  }
  calculator.querySelector("[role=status]").textContent = words;
  result.hidden = !table.length;
  result.querySelector("tbody").replaceChildren(...table.map(order => {
    const row = document.createElement("tr");
    shown(order).forEach(text => { row.insertCell().textContent = text; });
    return row;
  }));
  const button = result.querySelector("button");
  button.textContent = "Copy as CSV";
  button.onclick = async () => { button.textContent = await copied(as_csv(table)) ? "Copied" : "Copying is not allowed here"; };
};
const copied = text => navigator.clipboard?.writeText(text).then(() => true, () => selected(text)) ?? selected(text);
const selected = text => { // where the clipboard is closed to a page, as in MLflow's frame
  const area = document.body.appendChild(document.createElement("textarea"));
  area.value = text;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
};
calculators.forEach(calculator => {
  calculator.addEventListener("input", ({target}) => calculators.forEach(other => {
    other.querySelector(`[name=${target.name}]`).value = target.value;
    if (other.closest("details").open) calculate(other);
  }));
  calculator.closest("details").addEventListener("toggle", () => calculate(calculator));
  calculate(calculator);
});
addEventListener("beforeprint", () => calculators.forEach(calculate));
