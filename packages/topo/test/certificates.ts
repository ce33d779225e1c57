import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Files in PEM, in a directory. */
export interface Certificates {
  /** An authority, and what it signed. */
  readonly ca: string;
  readonly server: { readonly certFile: string; readonly keyFile: string };
  readonly client: { readonly certFile: string; readonly keyFile: string };
  /** An authority that signed nothing. */
  readonly otherCa: string;
}

/** Makes certificates for a server on localhost and for its clients. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const ca = await make(directory, "ca", []);
  const signed = ["-CA", ca.certFile, "-CAkey", ca.keyFile];
  const address = ["-addext", "subjectAltName=DNS:localhost"];
  const [server, client, other] = await Promise.all([
    make(directory, "server", [...signed, ...address]),
    make(directory, "client", signed),
    make(directory, "other", []),
  ]);
  return { ca: ca.certFile, server, client, otherCa: other.certFile };
}

async function make(
  directory: string,
  name: string,
  extra: readonly string[],
): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    keyFile,
  ];
  const subject = ["-subj", `/CN=${name}`, "-days", "2", "-out", certFile];
  await run("openssl", ["req", "-x509", ...key, ...subject, ...extra]);
  return { certFile, keyFile };
}
