export { LimitedLogger, type Logger } from "./limited-logger.ts";
