// Calls an interoperability server through weir at WEIR_URL as browsers would,
// by two client libraries. Tells what failed and how many cases passed; the
// exit status is 1 when one failed.
import { createClient, ConnectError } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import grpcWeb from "grpc-web";
import { XMLHttpRequest } from "./xhr.mjs";
import { TestService } from "./service.mjs";
import { streamCases, unaryCases } from "./cases.mjs";

globalThis.XMLHttpRequest = XMLHttpRequest;

const fields = (headers) => Object.fromEntries(headers.entries());

function connectClient(baseUrl, httpVersion) {
  const client = createClient(TestService, createGrpcWebTransport({ baseUrl, httpVersion }));
  const name = (method) => method[0].toLowerCase() + method.slice(1);
  const run = async (f, options) => {
    const got = { code: 0, message: "", headers: {}, trailers: {}, replies: [], at: [] };
    try {
      await f({
        headers: options.metadata, timeoutMs: options.timeoutMs,
        onHeader: (h) => (got.headers = fields(h)), onTrailer: (t) => (got.trailers = fields(t)),
      }, got);
    } catch (err) {
      const error = ConnectError.from(err);
      [got.code, got.message] = [error.code, error.rawMessage];
    }
    return got;
  };
  return {
    unary: (method, request, options = {}) => run(async (o, got) => {
      got.reply = await client[name(method)](request, o);
    }, options),
    stream: (method, request, options = {}) => run(async (o, got) => {
      for await (const reply of client[name(method)](request, o)) {
        got.replies.push(reply);
        got.at.push(Date.now());
      }
    }, options),
  };
}

function googleClient(baseUrl, format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const call = (open, method, request, options) => new Promise((resolve) => {
    const m = TestService.methods.find((candidate) => candidate.name === method);
    const path = `/${TestService.typeName}/${method}`;
    const descriptor = new grpcWeb.MethodDescriptor(path, m.methodKind === "unary" ? "unary" : "server_streaming", Object, Object,
      (r) => toBinary(m.input, create(m.input, r)), (b) => fromBinary(m.output, b));
    const got = { code: 0, message: "", headers: {}, trailers: {}, replies: [], at: [] };
    const metadata = { ...options.metadata };
    if (options.timeoutMs) metadata.deadline = String(Date.now() + options.timeoutMs);
    open(baseUrl + path, request, metadata, descriptor, got, () => resolve(got));
  });
  const note = (got, status) => {
    [got.code, got.message, got.trailers] = [status.code, status.message ?? status.details ?? "", status.metadata ?? {}];
  };
  return {
    unary: (method, request, options = {}) => call((url, r, metadata, descriptor, got, done) => {
      let ended = 0;
      const end = () => ++ended === 2 && done();
      const stream = client.rpcCall(url, r, metadata, descriptor, (err, reply) => {
        if (err) note(got, err);
        got.reply = reply;
        if (err) ended++;
        end();
      });
      stream.on("metadata", (m) => (got.headers = m));
      stream.on("status", (s) => {
        if (s.code === 0) note(got, { ...s, message: "" });
        end();
      });
    }, method, request, options),
    stream: (method, request, options = {}) => call((url, r, metadata, descriptor, got, done) => {
      const stream = client.serverStreaming(url, r, metadata, descriptor);
      stream.on("data", (reply) => {
        got.replies.push(reply);
        got.at.push(Date.now());
      });
      stream.on("metadata", (m) => (got.headers = m));
      stream.on("status", (s) => note(got, { ...s, message: s.details }));
      stream.on("error", (err) => {
        note(got, err);
        done();
      });
      stream.on("end", done);
    }, method, request, options),
  };
}

const base = process.env.WEIR_URL;
const clients = {
  "connect over HTTP/1.1": [connectClient(base, "1.1"), { ...unaryCases, ...streamCases }],
  "connect over HTTP/2": [connectClient(base, "2"), { ...unaryCases, ...streamCases }],
  "grpc-web in text": [googleClient(base, "text"), { ...unaryCases, ...streamCases }],
  // XMLHttpRequest has no binary streams: there the library makes unary calls only.
  "grpc-web in binary": [googleClient(base, "binary"), unaryCases],
};
let passed = 0;
let failed = 0;
for (const [name, [client, cases]] of Object.entries(clients)) {
  for (const [what, run] of Object.entries(cases)) {
    const late = setTimeout(() => {
      console.log(`FAIL ${name}: ${what}: no end within 10 s`);
      process.exit(1);
    }, 10_000);
    try {
      await run(client);
      passed++;
    } catch (err) {
      failed++;
      console.log(`FAIL ${name}: ${what}: ${err.message.replaceAll("\n", " ")}`);
    }
    clearTimeout(late);
  }
}
console.log(`${passed} of ${passed + failed} cases of gRPC-Web pass`);
process.exit(failed ? 1 : 0);
