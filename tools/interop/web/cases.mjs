// The cases of gRPC's interoperability suite that browsers can make, for a
// client with unary(name, request, options) and stream(name, request, options).
// Both tell {code, message, headers, trailers}; unary a reply, stream replies.
import assert from "node:assert/strict";

const zeros = (n) => new Uint8Array(n);
const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const metadata = { "x-grpc-test-echo-initial": "test_initial_metadata_value", "x-grpc-test-echo-trailing-bin": "CgsKCwoL" };

export const unaryCases = {
  async empty_unary(c) {
    assert.equal((await c.unary("EmptyCall", {})).code, 0);
  },
  async large_unary(c) {
    const got = await c.unary("UnaryCall", { responseSize: 314159, payload: { body: zeros(271828) } });
    assert.equal(got.code, 0, got.message);
    assert.equal(got.reply.payload.body.length, 314159);
  },
  async custom_metadata(c) {
    const got = await c.unary("UnaryCall", { responseSize: 1 }, { metadata });
    assert.equal(got.headers["x-grpc-test-echo-initial"], metadata["x-grpc-test-echo-initial"]);
    assert.equal(got.trailers["x-grpc-test-echo-trailing-bin"], metadata["x-grpc-test-echo-trailing-bin"]);
  },
  async status_code_and_message(c) {
    const got = await c.unary("UnaryCall", { responseStatus: { code: 2, message: "test status message" } });
    assert.deepEqual([got.code, got.message], [2, "test status message"]);
  },
  async special_status_message(c) {
    const got = await c.unary("UnaryCall", { responseStatus: { code: 2, message: special } });
    assert.deepEqual([got.code, got.message], [2, special]);
  },
  async unimplemented_method(c) {
    assert.equal((await c.unary("UnimplementedCall", {})).code, 12);
  },
  async refused_by_the_gateway(c) {
    const got = await c.unary("UnaryCall", { payload: { body: zeros(2 << 20) } });
    assert.deepEqual([got.code, got.message], [8, "The request body is larger than allowed."]);
  },
};

const sizes = [31415, 9, 2653, 58979];

export const streamCases = {
  async server_streaming(c) {
    const got = await c.stream("StreamingOutputCall", { responseParameters: sizes.map((size) => ({ size })) });
    assert.equal(got.code, 0, got.message);
    assert.deepEqual(got.replies.map((r) => r.payload.body.length), sizes);
  },
  async messages_leave_as_they_come(c) {
    const got = await c.stream("StreamingOutputCall", {
      responseParameters: [1, 2, 3].map((size) => ({ size, intervalUs: 250_000 })),
    });
    assert.equal(got.code, 0, got.message);
    // What is kept until the end comes at once.
    const [first, , last] = got.at;
    assert.ok(last - first > 100, `the last message came ${last - first} ms after the first`);
  },
  async stream_ends_with_a_status(c) {
    // The server refuses a size below 0 when its turn comes.
    const got = await c.stream("StreamingOutputCall", { responseParameters: [{ size: 7 }, { size: -1 }] });
    assert.deepEqual([got.code, got.replies.length], [2, 1]);
    assert.match(got.message, /invalid length/);
  },
  async timeout_on_sleeping_server(c) {
    const got = await c.stream("StreamingOutputCall",
      { responseParameters: [{ size: 1 }, { size: 2, intervalUs: 5_000_000 }] }, { timeoutMs: 400 });
    assert.equal(got.code, 4, got.message);
  },
};
