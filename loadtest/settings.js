// What all scenarios take from the environment.

export const url = (__ENV.WEIR_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '');

// tlsURL leads to the same gateway over TLS.
export const tlsURL = (__ENV.WEIR_TLS_URL || 'https://localhost:8443').replace(/\/+$/, '');

// duration returns DURATION, or the scenario's own.
export function duration(own) {
  return __ENV.DURATION || own;
}

// rate returns RATE in requests a second, or the scenario's own.
export function rate(own) {
  return number('RATE', own);
}

export function number(name, own) {
  const value = __ENV[name] === undefined ? own : Number(__ENV[name]);
  if (!(value > 0)) {
    throw new Error(`cannot use ${name} ${JSON.stringify(__ENV[name])}: it is a number above 0`);
  }
  return value;
}

// seconds reads a duration such as 90s, 1m30s or 500ms.
export function seconds(text) {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.map((part) => part[0]).join('') !== text || text === '') {
    throw new Error(`cannot use DURATION ${JSON.stringify(text)}: it is written like 90s or 1m30s`);
  }
  const unit = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return parts.reduce((sum, part) => sum + Number(part[1]) * unit[part[2]], 0);
}
