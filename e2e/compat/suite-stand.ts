import { setServerTls } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import { ClientPooler } from "../test/client-pooler.ts";
import type { ClientAddress } from "../test/client-pooler.ts";

/** Roles that node-postgres' tests of SCRAM log in as. The second password is no NFKC. */
export const SCRAM_ROLES = {
  ascii: { name: "scram_test", password: "test4scram" },
  unicode: { name: "scram_unicode_test", password: "IX-\u2168" },
} as const;

const DATABASES = { direct: "direct_tests", pooled: "pooled_tests" } as const;
/** Tests that never end a client wait for this one. */
const LOGIN_TIMEOUT_S = 5;

/** A PostgreSQL and a pooler in front of it, both with TLS, with a database for each way in. */
export class SuiteStand implements AsyncDisposable {
  readonly direct: ClientAddress;
  readonly pooled: ClientAddress;
  readonly #parts: AsyncDisposable;

  private constructor(pooler: ClientPooler, parts: AsyncDisposable) {
    this.direct = { ...pooler.direct, database: DATABASES.direct };
    this.pooled = { ...pooler.address, database: DATABASES.pooled };
    this.#parts = parts;
  }

  static async start(): Promise<SuiteStand> {
    await using parts = new AsyncDisposableStack();
    const authority = new Authority("servers");
    const pem = parts.use(await PemDirectory.create());
    const { cert, key } = authority.issue();
    const pooler = parts.use(
      await ClientPooler.start({
        "pg-databases": `${DATABASES.pooled},template1`,
        "pg-login-timeout": `${LOGIN_TIMEOUT_S}s`,
        "pg-tls-cert-file": await pem.write("listener.pem", cert),
        "pg-tls-key-file": await pem.write("listener.key", key),
      }),
    );
    await setServerTls(pooler.postgres, authority.issue());
    await prepare(pooler.postgres);
    return new SuiteStand(pooler, parts.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts[Symbol.asyncDispose]();
  }
}

async function prepare(postgres: TestPostgres): Promise<void> {
  await postgres.sql(`alter system set authentication_timeout = ${LOGIN_TIMEOUT_S}`);
  await postgres.sql("select pg_reload_conf()");
  for (const { name, password } of Object.values(SCRAM_ROLES)) {
    await postgres.sql(`create role ${name} login password '${password}'`);
  }
  for (const database of Object.values(DATABASES)) {
    await postgres.sql(`create database ${database}`);
  }
}
