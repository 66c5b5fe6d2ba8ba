// Structured logs: JSON lines on standard error, ECS field names, level by MILLRACE_LOG. Rows, tokens and secrets are never
// logged.
import { pino } from 'pino'
import type { Clock } from '../core/clock.ts'
import type { MillraceError } from '../core/errors.ts'

export interface Logger {
  info(message: string, fields?: object): void
  warn(message: string, fields?: object): void
  error(message: string, error: MillraceError, fields?: object): void
  /** Of what is tried again, as often as it takes: with the stack of our own mistakes only, of others at the level debug. */
  retried(message: string, error: MillraceError, fields?: object): void
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
  const fail = (message: string, error: MillraceError, fields: object, hasStack: boolean): void => {
    const { code, fix, cause } = error
    const stack = hasStack && cause instanceof Error ? { 'error.stack_trace': cause.stack } : {}
    log.error({ ...fields, 'error.code': code, 'error.message': error.message, ...(fix ? { 'error.fix': fix } : {}), ...stack }, message)
  }
  return {
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    error: (message, error, fields = {}) => fail(message, error, fields, true),
    retried: (message, error, fields = {}) => fail(message, error, fields, error.code === 'MR_INTERNAL' || log.isLevelEnabled('debug')),
  }
}
