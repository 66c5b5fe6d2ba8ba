// Which parts of AND and OR change places, and where a filter and a projection are one pass.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BOOLEAN, type CastExpression, call, constant, type Expression, LONG, STRING } from '../../engine/algebra/expression.ts'
import { cheapFirst } from './cheap-first.ts'
import { sharesWork } from './compile.ts'

const column = (name: string, type: Expression['type'] = STRING): Expression => ({ op: 'column', name, type, optional: true })
const text = (value: string): Expression => constant(value, STRING)
const found = (of: Expression): Expression =>
  call('<>', [call('regexp_extract', [of, text('a(.)'), constant(1, LONG)], STRING), text('')], BOOLEAN)
const isA = call('=', [call('lower', [column('channel')], STRING), text('a')], BOOLEAN)

test('regular expressions come last among parts that cannot fail', () => {
  const dear = found(column('url'))
  for (const name of ['and', 'or']) {
    assert.deepEqual(cheapFirst(call(name, [dear, isA], BOOLEAN)), call(name, [isA, dear], BOOLEAN))
    // Within others too.
    const within = call('not', [call(name, [dear, isA, dear], BOOLEAN)], BOOLEAN)
    assert.deepEqual(cheapFirst(within), call('not', [call(name, [isA, dear, dear], BOOLEAN)], BOOLEAN))
  }
})

test('parts stay where one of them may fail: a row fails where it would have', () => {
  const cast: CastExpression = { op: 'cast', of: column('channel'), type: LONG, optional: true, try: false }
  const fails = [
    call('=', [cast, constant('1', LONG)], BOOLEAN),
    call('=', [call('+', [column('n', LONG), column('n', LONG)], LONG), constant('1', LONG)], BOOLEAN),
  ]
  for (const part of fails) {
    const condition = call('and', [found(column('url')), part, isA], BOOLEAN)
    assert.deepEqual(cheapFirst(condition), condition)
  }
})

test('a condition shares work with a projection where both compute the same of a text', () => {
  const extracted = call('regexp_extract', [column('url'), text('a(.)'), constant(1, LONG)], STRING)
  assert.equal(sharesWork(call('or', [isA, found(column('url'))], BOOLEAN), [column('url'), call('upper', [extracted], STRING)]), true)
  assert.equal(sharesWork(found(column('url')), [column('url'), call('lower', [column('url')], STRING)]), false)
  const doubled = call('*', [column('n', LONG), constant('2', LONG)], LONG)
  assert.equal(sharesWork(call('>', [doubled, constant('9', LONG)], BOOLEAN), [doubled]), false)
})
