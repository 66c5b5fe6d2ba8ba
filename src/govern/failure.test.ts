// Failures of restricted callers: constant words, and a budget that comes back with time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { FailureBudget, tellsOneBit, withoutValues } from './failure.ts'

test('messages of running queries are replaced, those of binding stay', () => {
  const told = (message: string) => withoutValues(new MillraceError('MR_SQL_RUNTIME', message), 'q7')
  assert.equal(told("Could not convert string 'SECRET' to INT32").message, told('something else').message)
  assert.match(told('x').message, /q7/)
  assert.equal(withoutValues(new MillraceError('MR_ENGINE', 'INTERNAL: SECRET'), 'q7').code, 'MR_SQL_RUNTIME')
  assert.doesNotMatch(JSON.stringify({ ...told('SECRET') }), /SECRET/)
  assert.equal(told('SECRET').cause, undefined)
  const unknown = new MillraceError('MR_SQL_UNKNOWN', 'there is no relation "x"')
  assert.equal(withoutValues(unknown, 'q7'), unknown)
  assert.equal(tellsOneBit(unknown), false)
})

test('twenty failures in ten minutes, for each caller', async () => {
  const clock = new VirtualClock(0)
  const budget = new FailureBudget(clock)
  for (let i = 0; i < 20; i++) {
    budget.check('a')
    budget.spend('a')
    await clock.advance(1_000)
  }
  assert.throws(() => budget.check('a'), { code: 'MR_ACCESS_BUDGET', status: 429 })
  budget.check('b')
  await clock.advance(580_000)
  budget.check('a')
  budget.spend('a')
  assert.throws(() => budget.check('a'), { code: 'MR_ACCESS_BUDGET' })
})
