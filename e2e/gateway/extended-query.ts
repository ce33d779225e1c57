import { encodeParameterTypes } from "@multipooler/query-service";
import type { ClientOutput } from "./client-output.ts";
import type { ClientState } from "./client-state.ts";
import { GatewayError } from "./error-words.ts";
import type { Binding, FrontendMessage } from "./frontend-message.ts";
import type { PoolerCalls } from "./pooler-calls.ts";
import type { PreparedStatements, PreparedText } from "./prepared-statements.ts";
import { ResultRelay } from "./result-relay.ts";
import { splitStatements } from "./sql-statement.ts";
import type { SqlStatement } from "./sql-statement.ts";
import { actionOf, NO_REASON } from "./statement-action.ts";
import type { StatementRunner } from "./statement-runner.ts";

interface BoundPortal {
  readonly prepared: PreparedText;
  readonly binding: Binding;
}

type Message<Type extends FrontendMessage["type"]> = Extract<FrontendMessage, { type: Type }>;

interface ExtendedQueryParts {
  readonly state: ClientState;
  readonly calls: PoolerCalls;
  readonly runner: StatementRunner;
  readonly prepared: PreparedStatements;
  readonly output: ClientOutput;
}

/** The portals of a client, which only the gateway knows by their names. */
export class ExtendedQuery {
  readonly #parts: ExtendedQueryParts;
  readonly #portals = new Map<string, BoundPortal>();

  constructor(parts: ExtendedQueryParts) {
    this.#parts = parts;
  }

  /** Keeps the statement. In a transaction PostgreSQL parses it at once, for its errors. */
  async parse({ name, query, paramTypes }: Message<"parse">): Promise<void> {
    const { state, calls, prepared, output } = this.#parts;
    const text = { name, query, paramTypes };
    if (state.isInTransaction && query.trim() !== "") {
      await calls.parse(text);
    }
    prepared.set(text);
    await output.message("1");
  }

  async bind({ binding }: Message<"bind">): Promise<void> {
    this.#portals.set(binding.portal, {
      prepared: this.#parts.prepared.get(binding.statement),
      binding,
    });
    await this.#parts.output.message("2");
  }

  async close({ of, name }: Message<"close">): Promise<void> {
    (of === "statement" ? this.#parts.prepared : this.#portals).delete(name);
    await this.#parts.output.message("3");
  }

  async describe({ of, name }: Message<"describe">): Promise<void> {
    const { calls, output } = this.#parts;
    const portal = of === "portal" ? this.#portal(name) : undefined;
    const { query, paramTypes } = portal?.prepared ?? this.#parts.prepared.get(name);
    const [statement] = splitStatements(query);
    const isRun = statement !== undefined && actionOf(statement).type === "run";
    const description = isRun
      ? await calls.describe({
          preparedStatement: { query, paramTypes: [...paramTypes] },
          portal: portal && portalOf(portal),
        })
      : undefined;
    if (of === "statement") {
      const types = description?.parameters.map(({ dataTypeOid }) => dataTypeOid) ?? [];
      await output.write(encodeParameterTypes(types));
    }
    if (description?.hasFields === true) {
      await output.rowDescription(description.fields);
    } else {
      await output.message("n");
    }
  }

  /** `describes`: a Describe of the same portal came just before, and is answered by the way. */
  async execute(
    { portal: name, maxRows }: Message<"execute">,
    { describes }: { readonly describes: boolean },
  ): Promise<void> {
    const { output, runner } = this.#parts;
    const portal = this.#portal(name);
    const relay = new ResultRelay(output, { describes });
    const [statement] = splitStatements(portal.prepared.query);
    if (statement === undefined) {
      await relay.empty();
    } else if (actionOf(statement).type === "run") {
      await this.#run(portal, statement, { relay, maxRows, describes });
    } else {
      await runner.run(statement, relay);
    }
  }

  /** The portals of a transaction end with it. */
  transactionEnded(): void {
    this.#portals.clear();
  }

  async #run(
    portal: BoundPortal,
    statement: SqlStatement,
    wish: { readonly relay: ResultRelay; readonly maxRows: number; readonly describes: boolean },
  ): Promise<void> {
    const { query, paramTypes, name } = portal.prepared;
    const action = actionOf(statement);
    await this.#parts.calls.executePortal(
      {
        preparedStatement: { name, query, paramTypes: [...paramTypes] },
        portal: portalOf(portal),
        options: { maxRows: BigInt(wish.maxRows) },
        portalOptions: { includeDescribe: wish.describes },
      },
      action.type === "run" ? action : NO_REASON,
      (payload) => wish.relay.take(payload),
    );
  }

  #portal(name: string): BoundPortal {
    const portal = this.#portals.get(name);
    if (portal === undefined) {
      throw new GatewayError("34000", `portal "${name}" does not exist`);
    }
    return portal;
  }
}

function portalOf({ prepared, binding }: BoundPortal) {
  return {
    name: binding.portal,
    preparedStatementName: prepared.name,
    paramFormats: [...binding.paramFormats],
    paramLengths: [...binding.paramLengths],
    paramValues: binding.paramValues,
    resultFormats: [...binding.resultFormats],
  };
}
