// Failures of restricted callers: constant words, and a budget that comes back with time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { FailureBudget, tellsOneBit, withoutValues } from './failure.ts'

test('messages of running queries are constant, those of binding are ours', () => {
  const told = (message: string) => withoutValues(new MillraceError('MR_SQL_RUNTIME', message), 'q7')
  assert.equal(told("Could not convert string 'SECRET' to INT32").message, told('something else').message)
  assert.match(told('x').message, /q7/)
  assert.equal(withoutValues(new MillraceError('MR_ENGINE', 'INTERNAL: SECRET'), 'q7').code, 'MR_SQL_RUNTIME')
  assert.doesNotMatch(JSON.stringify({ ...told('SECRET') }), /SECRET/)
  assert.equal(told('SECRET').cause, undefined)
  const unknown = new MillraceError('MR_SQL_UNKNOWN', 'there is no relation "x"')
  assert.equal(withoutValues(unknown, 'q7'), unknown)
  assert.equal(tellsOneBit(unknown), false)
  const engine = (code: 'MR_SQL_UNKNOWN' | 'MR_SQL_TYPE', message: string) =>
    withoutValues(new MillraceError(code, message, { cause: 1 }), 'q7').message
  assert.equal(
    engine('MR_SQL_UNKNOWN', 'Referenced column "amont" not found in FROM clause! Candidate bindings: "amount", "note"'),
    'there is no column "amont"; near it are "amount", "note"',
  )
  assert.equal(engine('MR_SQL_UNKNOWN', 'Ambiguous reference'), 'a name in the query does not exist, or means several things')
  assert.equal(
    engine(
      'MR_SQL_TYPE',
      "No function matches the given name and argument types 'sum(VARCHAR)'. You might need to add explicit type casts.",
    ),
    'there is no function for sum(VARCHAR)',
  )
  assert.equal(engine('MR_SQL_TYPE', 'Cannot compare SECRET'), 'the types of an expression do not fit')
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
