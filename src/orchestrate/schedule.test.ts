// Cron across changes of summer time, and fixed periods.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextDueMs, printSchedule } from './schedule.ts'

const at = (iso: string): number => Date.parse(iso)

test('a daily time in a gap of summer time runs once, at the first valid instant', () => {
  const schedule = { cron: '30 1 * * *', zone: 'Europe/London' }
  const first = nextDueMs(schedule, at('2026-03-28T12:00:00Z'))!
  assert.ok(first >= at('2026-03-29T01:00:00Z') && first <= at('2026-03-29T01:30:00Z'), new Date(first).toISOString())
  assert.equal(nextDueMs(schedule, first), at('2026-03-30T00:30:00Z'))
})

test('a daily time in an overlap runs once', () => {
  const schedule = { cron: '30 1 * * *', zone: 'Europe/London' }
  const first = nextDueMs(schedule, at('2026-10-24T12:00:00Z'))!
  assert.equal(nextDueMs(schedule, first), at('2026-10-26T01:30:00Z'))
})

test('periods and words', () => {
  assert.equal(nextDueMs({ everyMs: 60_000 }, 1_000), 61_000)
  assert.equal(nextDueMs({}, 0), null)
  assert.equal(printSchedule({ cron: '0 3 * * *', zone: 'Europe/London' }), 'cron 0 3 * * * Europe/London')
})
