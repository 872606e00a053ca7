// Spike: a calm rate, five times as much within a moment, and back. The crowd may wait a little; nobody is refused.
import http from 'k6/http';
import { check } from 'k6';
import { duration, rate, seconds, url } from './settings.js';

const calm = rate(200);
const part = (share) => `${Math.max(1, Math.round(seconds(duration('15s')) * share * 1000))}ms`;

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: calm,
      timeUnit: '1s',
      preAllocatedVUs: 100,
      maxVUs: 1000,
      stages: [
        { target: calm, duration: part(0.25) },
        { target: calm * 5, duration: part(0.05) },
        { target: calm * 5, duration: part(0.4) },
        { target: calm, duration: part(0.05) },
        { target: calm, duration: part(0.25) },
      ],
    },
  },
  thresholds: {
    http_req_failed: ['rate<0.001'],
    http_req_duration: ['p(95)<200'],
    dropped_iterations: ['rate<10'],
  },
};

export default function () {
  check(http.get(`${url}/size/1024`), { whole: (r) => r.status === 200 && r.body.length === 1024 });
}
