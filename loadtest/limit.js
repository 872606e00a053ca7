// Limit: tenants send ten times what each is allowed. Each gets its rate and no more, refusals come at once and say
// when to come back, and a tenant within its rate notices nothing of the others.
import http from 'k6/http';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { duration, seconds, url } from './settings.js';

// As in run.sh: what the header X-Tenant is allowed in a second, and at once.
const allowed = 50;
const burst = 50;
const greedy = 8;
const length = seconds(duration('10s'));

const accepted = new Counter('accepted');
const answered = new Trend('accepted_duration', true);
const refused = new Trend('refused_duration', true);

http.setResponseCallback(http.expectedStatuses(200, 429));

const open = (exec, rate) => ({
  executor: 'constant-arrival-rate',
  exec,
  rate,
  timeUnit: '1s',
  duration: `${Math.round(length * 1000)}ms`,
  preAllocatedVUs: 50,
  maxVUs: 500,
});

export const options = {
  scenarios: {
    greedy: open('tooMuch', greedy * allowed * 10),
    modest: open('withinRate', allowed / 2),
  },
  thresholds: {
    http_req_failed: ['rate<0.001'],
    checks: ['rate==1'],
    // Never more than the burst and the rate of each, and one second for those under way at the end.
    'accepted{kind:greedy}': [
      `count<=${greedy * (burst + allowed * (length + 1))}`,
      `count>=${Math.floor(greedy * allowed * length * 0.9)}`,
    ],
    'accepted_duration{kind:modest}': ['p(95)<200'],
    refused_duration: ['p(95)<200'],
  },
};

function ask(tenant, kind) {
  const answer = http.get(`${url}/limited/size/1024`, { headers: { 'X-Tenant': tenant }, tags: { kind } });
  if (answer.status === 200) {
    accepted.add(1, { kind });
    answered.add(answer.timings.duration, { kind });
  } else {
    refused.add(answer.timings.duration);
  }
  return answer;
}

export function tooMuch() {
  check(ask(`greedy-${Math.floor(Math.random() * greedy)}`, 'greedy'), {
    'accepted whole, or told when to come back': (r) =>
      r.status === 200 ? r.body.length === 1024 : r.status === 429 && Number(r.headers['Retry-After']) >= 1,
  });
}

export function withinRate() {
  check(ask('modest', 'modest'), { 'never refused': (r) => r.status === 200 && r.body.length === 1024 });
}
