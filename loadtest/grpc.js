// gRPC: unary calls and streams of answers through weir to grpc-go's interoperability server, which stands behind it.
import grpc from 'k6/net/grpc';
import { Counter, Rate, Trend } from 'k6/metrics';
import { check } from 'k6';
import { duration, number, url } from './settings.js';

const clients = number('CLIENTS', 20);

const wrong = new Counter('calls_wrong');
const whole = new Rate('streams_whole');
const streamTime = new Trend('stream_duration', true);

export const options = {
  insecureSkipTLSVerify: true,
  scenarios: {
    unary: { executor: 'constant-vus', vus: clients, duration: duration('10s'), exec: 'unary' },
    streams: { executor: 'constant-vus', vus: Math.max(1, Math.round(clients / 4)), duration: duration('10s'), exec: 'stream' },
  },
  thresholds: {
    checks: ['rate==1'],
    calls_wrong: ['count==0'],
    streams_whole: ['rate==1'],
    grpc_req_duration: ['p(95)<200'],
  },
};

const service = 'grpc.testing.TestService';
const client = new grpc.Client();
client.load([], 'calls.proto');
let isConnected = false;

function connect() {
  if (!isConnected) {
    client.connect(url.replace(/^https?:\/\//, ''), { plaintext: url.startsWith('http:'), timeout: '5s' });
    isConnected = true;
  }
}

export function unary() {
  connect();
  const empty = client.invoke(`${service}/EmptyCall`, {});
  const sized = client.invoke(`${service}/UnaryCall`, { response_size: 2000, payload: { body: 'd2Vpcg==' } });
  const missing = client.invoke(`${service}/UnimplementedCall`, {});
  const failed = client.invoke(`${service}/UnaryCall`, { response_status: { code: 9, message: 'not now' } });
  const isRight = check(null, {
    'an empty call is answered': () => empty.status === grpc.StatusOK,
    'an answer is whole': () => sized.status === grpc.StatusOK && sized.message.payload.body.length === 2668,
    'what is not there is said so': () => missing.status === grpc.StatusUnimplemented,
    'status and message pass': () => failed.status === grpc.StatusFailedPrecondition && failed.error.message === 'not now',
  });
  wrong.add(isRight ? 0 : 1);
}

// Sizes of answers that the server streams, some a few packets long.
const sizes = [31415, 9, 2653, 58979, 1, 70000];

export function stream() {
  connect();
  return new Promise((resolve) => {
    const began = Date.now();
    const got = [];
    let isBroken = false;
    const call = new grpc.Stream(client, `${service}/FullDuplexCall`);
    call.on('data', (answer) => {
      got.push(bytesOf(answer.payload.body));
      if (got.length < sizes.length) {
        call.write(ask(got.length));
        return;
      }
      call.end();
    });
    call.on('error', () => {
      isBroken = true;
    });
    call.on('end', () => {
      whole.add(!isBroken && got.join() === sizes.join());
      streamTime.add(Date.now() - began);
      resolve();
    });
    call.write(ask(0));
  });
}

const ask = (i) => ({ response_parameters: [{ size: sizes[i] }] });

// bytesOf is how many bytes base64 stands for.
const bytesOf = (text) => (text.length / 4) * 3 - (text.match(/=*$/)[0].length);
