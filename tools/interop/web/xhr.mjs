// XMLHttpRequest over fetch, as far as grpc-web needs it: Node has none, and
// what packages offer shows no text before the answer is whole.
export class XMLHttpRequest {
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  response = null;
  responseType = "";
  #headers = new Headers();
  #answer = new Headers();
  #cancel = new AbortController();

  open(method, url) {
    Object.assign(this, { method, url });
    this.#become(1);
  }

  setRequestHeader(name, value) {
    this.#headers.set(name, value);
  }

  getAllResponseHeaders() {
    return [...this.#answer].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  getResponseHeader(name) {
    return this.#answer.get(name);
  }

  abort() {
    this.#cancel.abort();
  }

  async send(body) {
    try {
      const answer = await fetch(this.url, {
        method: this.method, headers: this.#headers, body, signal: this.#cancel.signal,
      });
      [this.status, this.statusText, this.#answer] = [answer.status, answer.statusText, answer.headers];
      this.#become(2);
      if (this.responseType === "arraybuffer") {
        this.response = await answer.arrayBuffer();
      } else {
        const decoder = new TextDecoder();
        for await (const piece of answer.body) {
          this.responseText += decoder.decode(piece, { stream: true });
          this.response = this.responseText;
          this.#become(3);
        }
      }
    } catch {
      this.status = 0;
    }
    this.#become(4);
  }

  #become(state) {
    this.readyState = state;
    this.onreadystatechange?.();
  }
}
