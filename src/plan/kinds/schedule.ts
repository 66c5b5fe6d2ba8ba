// Times: cron expressions, zones, retries; the same for sources and jobs.
import { Cron } from 'croner'
import type { ErrorCode } from '../../core/errors.ts'
import { fail, type Scope } from '../scope.ts'

/** Reports a cron expression or zone that is not one. */
export function checkSchedule(
  scope: Scope,
  what: string,
  at: string,
  how: { readonly cron?: string | undefined; readonly every?: string | undefined; readonly zone?: string | undefined },
): void {
  const code: ErrorCode = 'MR_PLAN_JOB'
  if (how.cron !== undefined && how.every !== undefined) fail(scope, code, at, `${what} has both every and cron`, 'keep one of them')
  if (how.zone !== undefined && !isZone(how.zone))
    fail(scope, code, at, `${what}: there is no time zone "${how.zone}"`, "use an IANA name such as 'Europe/London'")
  if (how.cron === undefined) return
  const fields = how.cron.trim().split(/\s+/).length
  const reason = fields === 5 ? cronError(how.cron) : `it has ${fields} fields`
  if (reason !== undefined)
    fail(
      scope,
      code,
      at,
      `${what}: "${how.cron}" is not a cron expression: ${reason}`,
      "write five fields: minute hour day month weekday, such as '0 3 * * *'",
    )
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

function cronError(cron: string): string | undefined {
  try {
    const parsed = new Cron(cron, { paused: true })
    return parsed.nextRun() === null ? 'it never comes' : undefined
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '')
  }
}
