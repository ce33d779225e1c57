import type {
  Session,
  SessionCaller,
  SessionClient,
  SessionState,
} from "@multipooler/query-service";
import { QueryMode } from "@multipooler/query-service";
import type { Clock } from "@multipooler/timing";
import { MultiPoolerError } from "../error.ts";
import { isUnsent, queryError } from "../execution/postgres-error.ts";
import type { Logger } from "../logger.ts";
import type { Lease } from "../pool/lease.ts";
import type { RequestEnd, TransactionStatus } from "../pool/request.ts";
import type { Unit } from "../pool/unit.ts";
import type { Holder } from "../serving/holders.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { ClientOutput } from "./client-output.ts";
import { COPY_FAIL, SYNC } from "./frontend-message.ts";
import { SessionHold } from "./session-hold.ts";
import { readyForQuery, sessionErrorMessage } from "./session-error.ts";
import {
  FAILING_QUERY,
  cancelledError,
  cutError,
  internalError,
  noStatementError,
  protocolError,
  readOnlyError,
  shutdownError,
  slowClientError,
} from "./session-refusal.ts";
import { SessionUnit } from "./session-unit.ts";
import { UnitCutter } from "./unit-cutter.ts";
import type { StatementClassifier } from "./unit-cutter.ts";
import { UnitFeed } from "./unit-feed.ts";
import { UnitInterruption } from "./unit-interruption.ts";
