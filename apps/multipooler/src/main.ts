#!/usr/bin/env node
import { CommanderError } from "commander";
import { commandLine } from "./cli.ts";
import { ConfigError, resolveConfig } from "./config.ts";
import { query } from "./ctl/query.ts";
import { status } from "./ctl/status.ts";
import { createLogger } from "./logger.ts";
import { serve } from "./serve.ts";

/** Wrong words or values on the command line, as shells and `sysexits` have it. */
const EXIT_USAGE = 2;

function complain(line: string): void {
  process.stderr.write(`multipooler: ${line}\n`);
}

const io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, complain };

const program = commandLine(
  {
    serve: (flags, configFile) => {
      const config = resolveConfig({ flags, env: process.env, configFile });
      return serve(config, {
        logger: createLogger(config.logLevel),
        complain,
        exit: (code) => process.exit(code),
      });
    },
    query: (sql, options) => query(sql, options, io),
    status: (options) => status(options, io),
  },
  (code) => {
    process.exitCode = code;
  },
);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) complain(problem);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  } else throw error;
}
