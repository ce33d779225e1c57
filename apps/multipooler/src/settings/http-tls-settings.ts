import { FILE_RELOAD, TLS_SET_UP, choice, path, settingGroup } from "./setting.ts";
import type { Setting } from "./setting.ts";

const tls = settingGroup("TLS of HTTP", TLS_SET_UP);

/** Who needs a certificate where `--http-tls-client-ca-file` is set. Patroni's words. */
const HTTP_CLIENT_CERTIFICATES = ["required", "optional"] as const;

/** How the connections of probes, Prometheus and browsers are encrypted. */
export const httpTlsSettings = {
  httpTlsCertFile: tls.optional("http-tls-cert-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the certificate for HTTP, read again when it is replaced. Turns on TLS.",
  }),
  httpTlsKeyFile: tls.optional("http-tls-key-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the key of --http-tls-cert-file.",
  }),
  httpTlsClientCaFile: tls.optional("http-tls-client-ca-file", path, {
    reload: FILE_RELOAD,
    help: "PEM file with the authorities of clients' certificates.",
  }),
  httpTlsClientCert: tls.optional("http-tls-client-cert", choice(HTTP_CLIENT_CERTIFICATES), {
    help:
      "Who needs a certificate of --http-tls-client-ca-file: required, every client; optional, those that " +
      "ask for more than a probe such as /live, /ready or /primary, which the kubelet asks without one; " +
      "if unset required with --http-tls-client-ca-file.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
