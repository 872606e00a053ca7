// What the cases need of node:assert, for browsers.
const check = (holds, message) => {
  if (!holds) throw new Error(message);
};
const text = (value) => JSON.stringify(value);

export default {
  ok: check,
  equal: (got, want, message) => check(got === want, message || `got ${text(got)}; want ${text(want)}`),
  deepEqual: (got, want) => check(text(got) === text(want), `got ${text(got)}; want ${text(want)}`),
  match: (got, want) => check(want.test(got), `got ${text(got)}; want ${want}`),
};
