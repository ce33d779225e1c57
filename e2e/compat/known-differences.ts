import { WHOLE_FILE } from "./comparison.ts";
import type { KnownDifference } from "./comparison.ts";

const LABELLED =
  "A client that gives no application_name sees the pooler's own: it tells in pg_stat_activity whose connection it is.";
const NO_BACKEND_OF_ITS_OWN =
  "It ends the backend of a client that is idle. Here an idle client has none, and does not notice.";

const NO_REPLICATION =
  "The listener takes no replication connections: such a client connects to PostgreSQL itself.";

const OF_NODE_POSTGRES: readonly KnownDifference[] = ["", " (native)"].flatMap((mode) => [
  {
    file: `pg/test/integration/client/appname-tests.js${mode}`,
    test: "No default appliation_name",
    reason: LABELLED,
  },
  {
    file: `pg/test/integration/connection-pool/error-tests.js${mode}`,
    test: "errors emitted on checked-out clients",
    reason: NO_BACKEND_OF_ITS_OWN,
  },
  {
    file: `pg/test/integration/gh-issues/130-tests.js${mode}`,
    test: WHOLE_FILE,
    reason: NO_BACKEND_OF_ITS_OWN,
  },
]);

const OF_POSTGRES_JS: readonly KnownDifference[] = [
  { test: "listen reconnects", reason: NO_BACKEND_OF_ITS_OWN },
  {
    test: "listen result reports correct connection state after reconnection",
    reason: NO_BACKEND_OF_ITS_OWN,
  },
  { test: "subscribe", reason: NO_REPLICATION },
  { test: "subscribe with transform", reason: NO_REPLICATION },
  { test: "subscribe reconnects and calls onsubscribe", reason: NO_REPLICATION },
].map((difference) => ({ file: "tests/index.js", ...difference }));

/** Tests of drivers that cannot pass through a pooler, each with the reason. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...OF_NODE_POSTGRES,
  ...OF_POSTGRES_JS,
];
