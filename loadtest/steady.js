// Steady: small answers at a fixed rate, whatever the answers' speed.
import http from 'k6/http';
import { check } from 'k6';
import { duration, rate, url } from './settings.js';

export const options = {
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: rate(500),
      duration: duration('15s'),
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    http_req_duration: ['p(95)<50', 'p(99)<200'],
    // Above this the load itself was not what was asked for.
    dropped_iterations: ['rate<5'],
  },
};

export default function () {
  check(http.get(`${url}/size/1024`), { whole: (r) => r.status === 200 && r.body.length === 1024 });
}
