export { programEnvironment, programPath, runProgram } from "./program.ts";
export type { ProgramResult } from "./program.ts";
export { startPooler } from "./pooler-process.ts";
export type { LogLine, PoolerExit, PoolerProcess, StartPoolerOptions } from "./pooler-process.ts";
