import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { expect, test } from "vitest";
import { Authority } from "./authority.ts";

test("OpenSSL reads what an authority issues, and finds its signature right", () => {
  const authority = new Authority("mine");
  const { cert, key } = authority.issue({ commonName: "alice", names: ["db.test", "10.1.2.3"] });
  const parsed = new X509Certificate(cert);
  expect(parsed.subject).toBe("CN=alice");
  expect(parsed.subjectAltName).toBe("DNS:db.test, IP Address:10.1.2.3");
  const issuer = new X509Certificate(authority.cert);
  expect(issuer.ca).toBe(true);
  expect(parsed.verify(issuer.publicKey)).toBe(true);
  expect(parsed.checkIssued(issuer)).toBe(true);
  expect(() => createSecureContext({ cert, key })).not.toThrow();
});

test("dates come out to the second", () => {
  const notAfter = new Date("2020-02-03T04:05:06.789Z");
  const { cert } = new Authority().issue({ notAfter });
  expect(new X509Certificate(cert).validToDate).toEqual(new Date("2020-02-03T04:05:06Z"));
});
