import { readFileSync } from "node:fs";
import { connect } from "@multipooler/grpc-services/client";
import type { ClientTls, PoolerClient } from "@multipooler/grpc-services/client";
import type { ClientOptions } from "./client-options.ts";
import { fileFault } from "../file-fault.ts";
import { ConfigError } from "../settings/config.ts";
import { settings } from "../settings/settings.ts";
import { poolerAddress } from "./pooler-address.ts";

const DEFAULT_PORT = settings.grpcPort.defaultText ?? "";

/**
 * A client of the pooler that the command line names. Over TLS if one of its files is given.
 *
 * @throws ConfigError naming the file that cannot be read
 */
export function poolerClient({
  address,
  tlsCa,
  tlsCert,
  tlsKey,
  tokenFile,
}: ClientOptions): PoolerClient {
  const isEncrypted = tlsCa !== undefined || tlsCert !== undefined || tlsKey !== undefined;
  const tls: ClientTls | undefined = isEncrypted
    ? {
        ca: contentOf("tls-ca", tlsCa),
        certificate: contentOf("tls-cert", tlsCert),
        key: contentOf("tls-key", tlsKey),
      }
    : undefined;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new ConfigError(["--tls-cert and --tls-key go together"]);
  }
  const token = contentOf("token-file", tokenFile)?.split("\n", 1)[0]?.trim();
  if (token !== undefined && !/^[!-~]+$/.test(token)) {
    throw new ConfigError([`--token-file: the first line of ${tokenFile} is no token`]);
  }
  return connect({ address: poolerAddress(address, DEFAULT_PORT), tls, token });
}

function contentOf(flag: string, file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError([`--${flag}: ${file} ${fileFault(cause)}`], { cause });
  }
}
