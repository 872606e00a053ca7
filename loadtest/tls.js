// TLS: clients that come anew and clients that stay, over HTTP/2 where both sides can, ask for small and large answers
// and upload. Everything must be right, and spoken in what was chosen.
import http from 'k6/http';
import crypto from 'k6/crypto';
import { check } from 'k6';
import { duration, rate, tlsURL } from './settings.js';

const perSecond = rate(100);

export const options = {
  // The authority is one for development, which only this run knows.
  insecureSkipTLSVerify: true,
  tlsVersion: { min: 'tls1.2', max: 'tls1.3' },
  scenarios: {
    staying: {
      executor: 'constant-arrival-rate', rate: perSecond, timeUnit: '1s', duration: duration('15s'),
      preAllocatedVUs: 50, maxVUs: 500, exec: 'stay',
    },
    coming: {
      executor: 'constant-arrival-rate', rate: Math.max(1, Math.round(perSecond / 10)), timeUnit: '1s', duration: duration('15s'),
      preAllocatedVUs: 20, maxVUs: 200, exec: 'come',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    'http_req_duration{size:small}': ['p(95)<150'],
    'http_req_tls_handshaking{scenario:coming}': ['p(95)<200'],
  },
};

const upload = 'weir '.repeat(20000);
const uploadSum = crypto.sha256(upload, 'hex');
const isSecure = (r) => r.proto === 'HTTP/2.0' && r.tls_version === 'tls1.3';

export function stay() {
  const kind = __ITER % 20;
  if (kind === 0) {
    check(http.get(`${tlsURL}/size/262144`, { tags: { size: 'large' } }), {
      'a large answer is whole': (r) => r.status === 200 && r.body.length === 262144,
    });
    return;
  }
  if (kind === 1) {
    check(http.post(`${tlsURL}/echo`, upload, { tags: { size: 'large' } }), {
      'the upload arrives unchanged': (r) => r.status === 200 && r.json('body_sha256') === uploadSum,
      'the upstream learns of TLS': (r) =>
        r.status === 200 && r.json('headers').some(([name, value]) => name.toLowerCase() === 'x-forwarded-proto' && value === 'https'),
    });
    return;
  }
  check(http.get(`${tlsURL}/size/1024`, { tags: { size: 'small' } }), {
    'a small answer is whole': (r) => r.status === 200 && r.body.length === 1024,
    'it is HTTP/2 over TLS 1.3': isSecure,
  });
}

// A client that asks the connection to end shakes hands again the next time.
export function come() {
  check(http.get(`${tlsURL}/size/1024`, { headers: { Connection: 'close' }, tags: { size: 'small' } }), {
    'a new client is served': (r) => r.status === 200 && r.body.length === 1024,
  });
}
