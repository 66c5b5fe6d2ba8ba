// Structured logs: JSON lines on standard error, ECS field names, level by MILLRACE_LOG. Rows, tokens and secrets are never
// logged.
import { pino } from 'pino'
import type { Clock } from '../core/clock.ts'
import type { MillraceError } from '../core/errors.ts'

export interface Logger {
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, error: MillraceError, fields?: object): void
}

export function openLogger(level: string, clock: Clock): Logger {
  const log = pino(
    {
      level,
      base: { 'service.name': 'millrace', 'process.pid': process.pid },
      messageKey: 'message',
      timestamp: () => `,"@timestamp":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ 'log.level': label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  )
  return {
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    error: (message, error, fields = {}) =>
      log.error(
        {
          ...fields,
          'error.code': error.code,
          'error.message': error.message,
          ...(error.fix ? { 'error.fix': error.fix } : {}),
          ...(error.cause instanceof Error ? { 'error.stack_trace': error.cause.stack } : {}),
        },
        message,
      ),
  }
}
