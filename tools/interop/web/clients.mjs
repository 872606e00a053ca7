// The two client libraries, as the cases want them. They run in Node and in
// browsers.
import { createClient, ConnectError } from "@connectrpc/connect";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import grpcWeb from "grpc-web";
import { streamCases, unaryCases } from "./cases.mjs";
import { TestService } from "./service.mjs";

const fields = (headers) => Object.fromEntries(headers.entries());

// connectClient makes calls by Connect, over one of its transports.
function connectClient(transport) {
  const client = createClient(TestService, transport);
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

// googleClient makes calls by the library of gRPC-Web itself, in text or binary.
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

// run runs every case with every client and returns what failed.
export async function run(clients) {
  const failures = [];
  let passed = 0;
  for (const [name, [client, cases]] of Object.entries(clients)) {
    for (const [what, run] of Object.entries(cases)) {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no end within 10 s")), 10_000));
      try {
        await Promise.race([run(client), late]);
        passed++;
      } catch (err) {
        failures.push(`FAIL ${name}: ${what}: ${err.message.replaceAll("\n", " ")}`);
      }
    }
  }
  return [...failures, `${passed} of ${passed + failures.length} cases of gRPC-Web pass`].join("\n");
}

const all = { ...unaryCases, ...streamCases };

// googleClients are the library's two forms. XMLHttpRequest has no binary
// streams: there it makes unary calls only.
export const googleClients = (baseUrl) => ({
  "grpc-web in text": [googleClient(baseUrl, "text"), all],
  "grpc-web in binary": [googleClient(baseUrl, "binary"), unaryCases],
});

// connectClients are Connect's client over each transport.
export const connectClients = (transports) =>
  Object.fromEntries(Object.entries(transports).map(([name, transport]) => [name, [connectClient(transport), all]]));
