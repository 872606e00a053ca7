// Soak: a mix of small, large, slow, streamed and uploaded bodies for a long time. run.sh says how weir's memory grew.
import http from 'k6/http';
import { check } from 'k6';
import { duration, rate, url } from './settings.js';

export const options = {
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: rate(200),
      duration: duration('60s'),
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
  thresholds: {
    http_req_failed: ['rate<0.001'],
    checks: ['rate>0.999'],
    'http_req_duration{kind:small}': ['p(95)<100'],
  },
};

const upload = 'x'.repeat(64 * 1024);

// Of ten requests six are small and one is of each other kind.
const mix = [
  () => http.get(`${url}/size/262144`, { tags: { kind: 'large' } }),
  () => http.get(`${url}/delay/50ms`, { tags: { kind: 'slow' } }),
  () => http.get(`${url}/chunked/20000`, { tags: { kind: 'chunked' } }),
  () => http.post(`${url}/upload`, upload, { tags: { kind: 'upload' } }),
];
const small = () => http.get(`${url}/size/1024`, { tags: { kind: 'small' } });

export default function () {
  const ask = mix[__ITER % 10] || small;
  check(ask(), { 'status is 200': (r) => r.status === 200 });
}
