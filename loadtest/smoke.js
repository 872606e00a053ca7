// Smoke: one client asks for each kind of answer in turn. Everything must be right.
import http from 'k6/http';
import crypto from 'k6/crypto';
import { check } from 'k6';
import { duration, url } from './settings.js';

export const options = {
  scenarios: { smoke: { executor: 'constant-vus', vus: 1, duration: duration('5s') } },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    http_req_duration: ['p(95)<200'],
  },
};

const upload = 'weir '.repeat(20000);
const uploadSum = crypto.sha256(upload, 'hex');

export default function () {
  check(http.get(`${url}/size/1024`), {
    'a small answer is whole': (r) => r.status === 200 && r.body.length === 1024,
  });
  check(http.get(`${url}/size/1048576`), {
    'a large answer is whole': (r) => r.status === 200 && r.body.length === 1048576,
  });
  check(http.get(`${url}/chunked/70000`), {
    'a chunked answer is whole': (r) => r.status === 200 && r.body.length === 70000,
  });
  check(http.head(`${url}/size/1024`), {
    'HEAD has no body': (r) => r.status === 200 && !r.body,
  });
  check(http.get(`${url}/status/204`), {
    '204 passes': (r) => r.status === 204,
  });
  check(http.get(`${url}/sse/3/5ms`), {
    'events arrive': (r) => r.status === 200 && r.body.endsWith('data: event 3 of 3\n\n'),
  });
  const echo = http.put(`${url}/echo?a=1&b=%2f`, upload, { headers: { 'X-Smoke': 'yes' } });
  check(echo, {
    'the upload arrives unchanged': (r) => r.json('body_sha256') === uploadSum,
    'method and target arrive': (r) => r.json('method') === 'PUT' && r.json('target') === '/echo?a=1&b=%2f',
    'headers arrive': (r) => r.json('headers').some(([name, value]) => name.toLowerCase() === 'x-smoke' && value === 'yes'),
    'the upstream learns who asks': (r) => r.json('headers').some(([name]) => name.toLowerCase() === 'x-forwarded-for'),
  });
}
