// Text made of numbers alone, such as times in some format: where the numbers are those of the row before, so is the text.
import type { CallExpression, CaseExpression, CastExpression, Expression } from '../../engine/algebra/expression.ts'
import { type Code, type Emitter, representationOf } from './emitter.ts'

/** Of a text that is worth to be kept: the numbers that it is made of. Digits alone are written as fast as they are copied. */
export function repeatedNumbers(expression: CastExpression | CaseExpression | CallExpression): readonly Expression[] | null {
  if (representationOf(expression.type) !== 'text') return null
  if (expression.op === 'cast' && ['boolean', 'int', 'long', 'huge', 'decimal'].includes(expression.of.type.kind)) return null
  const numbers = numbersIn(expression)
  return numbers?.length ? numbers : null
}

/** The numbers that every row computes for the text; null where it depends on something else, or on whether they are reached. */
function numbersIn(expression: Expression): readonly Expression[] | null {
  if (expression.op === 'constant') return []
  const { kind } = expression.type
  // Of 0 and -0, which are equal, the texts differ.
  if (representationOf(expression.type) !== 'text') return kind === 'double' || kind === 'float' ? null : [expression]
  if (expression.op === 'cast') return numbersIn(expression.of)
  if (expression.op !== 'call' || expression.name === 'coalesce') return null
  const parts = expression.of.map(numbersIn)
  return parts.includes(null) ? null : parts.flatMap((part) => part!)
}

/** Keeps the text of the last row, and computes another where a number has changed. */
export function repeatedText(
  emitter: Emitter,
  { type }: CastExpression | CaseExpression | CallExpression,
  numbers: readonly Expression[],
  compute: () => Code,
): Code {
  const codes = numbers.map((number) => emitter.code(number))
  const now = [...new Set(codes.flatMap(({ isNull, value }) => (isNull === 'false' ? [value] : [isNull, value])))]
  const last = now.map(() => emitter.kept('NaN'))
  const slot = emitter.slot(type, (initial) => emitter.kept(initial))
  let canBeNull = true
  emitter.block(`if (${now.map((name, i) => `${name} !== ${last[i]}`).join(' || ')})`, () => {
    emitter.emit(now.map((name, i) => `${last[i]} = ${name}`).join('; '))
    canBeNull = emitter.settle(slot, compute())
  })
  return canBeNull ? slot : { ...slot, isNull: 'false' }
}
