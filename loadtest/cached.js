// Cached: many keys, of which few are wanted often. Most answers come from the cache, each is its key's, and what was
// purged is not seen again.
import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { duration, rate, seconds, url } from './settings.js';

const keys = 2000;
const size = 1024;
const length = seconds(duration('10s'));

// Bounds of Zipf's distribution: the key of rank n is wanted n times less than the first.
const bounds = [];
for (let n = 1, sum = 0; n <= keys; n++) {
  sum += 1 / n;
  bounds.push(sum);
}

const hits = new Rate('hits');

export const options = {
  scenarios: {
    readers: {
      executor: 'constant-arrival-rate',
      exec: 'read',
      rate: rate(300),
      timeUnit: '1s',
      duration: `${Math.round(length * 1000)}ms`,
      preAllocatedVUs: 30,
      maxVUs: 300,
    },
    purger: { executor: 'per-vu-iterations', exec: 'purge', vus: 1, iterations: 1, startTime: `${Math.round(length * 500)}ms` },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    hits: ['rate>0.6'],
    'http_req_duration{kind:read}': ['p(95)<50'],
  },
};

function pick() {
  const at = Math.random() * bounds[keys - 1];
  let low = 0;
  let high = keys - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[middle] < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const get = (key, kind) => http.get(`${url}/cached/${size + key}/${key}`, { tags: { kind, name: 'cached' } });

export function read() {
  const key = pick();
  const answer = get(key, 'read');
  hits.add(/^weir; hit/.test(answer.headers['Cache-Status']));
  check(answer, { 'the answer of its key': (r) => r.status === 200 && r.body.length === size + key });
}

// Each answer of the upstream has an ETag of its own.
export function purge() {
  const before = get(0, 'purged').headers.Etag;
  const purged = http.request('PURGE', `${url}/cached/${size}/0`);
  check(purged, { 'purged': (r) => r.status >= 200 && r.status < 300 });
  for (let i = 0; i < 20; i++) {
    check(get(0, 'purged'), { 'newer than the purge': (r) => r.status === 200 && r.headers.Etag !== before });
  }
}
