import type { ClientCertificate } from "@multipooler/tls";
import { Refusal } from "./refusal.ts";

/**
 * What a client has to show of itself over TLS, in the words of `pg_hba.conf`.
 *
 * | value       | a client needs                                                         |
 * | ----------- | ---------------------------------------------------------------------- |
 * | none        | no certificate                                                         |
 * | verify-ca   | one that an authority of clients signed, and its password              |
 * | verify-full | one that an authority signed for the name of its role, and its password |
 * | cert        | one that an authority signed for the name of its role                  |
 *
 * With all but "none" a client without TLS is not let in. A cancel request needs no certificate, as in
 * PostgreSQL: its key is its proof.
 */
export const CLIENT_CERTIFICATES = ["none", "verify-ca", "verify-full", "cert"] as const;
export type ClientCertificateDemand = (typeof CLIENT_CERTIFICATES)[number];

/**
 * Checks the certificate of a client that names its role.
 *
 * @throws a {@link Refusal}
 */
export function checkCertificate(
  demand: ClientCertificateDemand,
  { certificate, user }: { readonly certificate: ClientCertificate; readonly user: string },
): void {
  switch (demand) {
    case "none":
      return;
    case "verify-ca":
      requireVerified(certificate);
      return;
    case "verify-full":
    case "cert":
      requireName(requireVerified(certificate), user);
  }
}

type Verified = Extract<ClientCertificate, { type: "verified" }>;

function requireVerified(certificate: ClientCertificate): Verified {
  switch (certificate.type) {
    case "verified":
      return certificate;
    case "none":
      throw notValid("the client showed no certificate");
    case "rejected":
      throw notValid(`the client's certificate is not accepted: ${certificate.reason}`);
  }
}

function requireName({ commonName, subject }: Verified, user: string): void {
  if (commonName !== user) {
    throw new Refusal("28000", `certificate authentication failed for user "${user}"`, {
      reason: `the certificate "${subject}" is for another role than "${user}"`,
    });
  }
}

function notValid(reason: string): Refusal {
  return new Refusal("28000", "connection requires a valid client certificate", { reason });
}
