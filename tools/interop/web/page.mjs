// What browser.mjs has a browser run, from another origin than weir's.
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { connectClients, googleClients, run } from "./clients.mjs";

const baseUrl = new URLSearchParams(location.search).get("weir");
const told = await run({
  ...connectClients({ connect: createGrpcWebTransport({ baseUrl, useBinaryFormat: true }) }),
  ...googleClients(baseUrl),
});
await fetch("/told", { method: "POST", body: told });
