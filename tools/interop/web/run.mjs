// Calls an interoperability server through weir at WEIR_URL as browsers would,
// by two client libraries. Tells what failed and how many cases passed; the
// exit status is 1 when one failed.
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { connectClients, googleClients, run } from "./clients.mjs";
import { XMLHttpRequest } from "./xhr.mjs";

globalThis.XMLHttpRequest = XMLHttpRequest;
const baseUrl = process.env.WEIR_URL;
const told = await run({
  ...connectClients({
    "connect over HTTP/1.1": createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    "connect over HTTP/2": createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  }),
  ...googleClients(baseUrl),
});
console.log(told);
process.exit(told.includes("FAIL") ? 1 : 0);
