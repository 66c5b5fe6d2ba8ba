// Random rules on rows for property tests: every form that a policy can have, over columns and values that the test gives.
import fc from 'fast-check'
import type { PredicateManifest, PredicateValue } from '../../src/define/manifest.ts'

/** `valueFor`: what a rule compares a column with. */
export function randomRules(
  columns: readonly string[],
  valueFor: (column: string) => fc.Arbitrary<PredicateValue>,
): fc.Arbitrary<PredicateManifest> {
  const leaf: fc.Arbitrary<PredicateManifest> = fc.constantFrom(...columns).chain((column) =>
    fc.oneof(
      fc
        .tuple(fc.constantFrom('=', '<>', '<', '<=', '>', '>=' as const), valueFor(column))
        .map(([op, value]): PredicateManifest => ({ kind: 'compare', column, op: op as '=', value })),
      fc.array(valueFor(column), { maxLength: 3 }).map((values): PredicateManifest => ({ kind: 'in', column, values })),
      fc.boolean().map((negated): PredicateManifest => ({ kind: 'null', column, negated })),
    ),
  )
  return fc.letrec<{ rule: PredicateManifest }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('rule'), { maxLength: 3 }).chain((of) => fc.constantFrom<PredicateManifest>({ kind: 'and', of }, { kind: 'or', of })),
      tie('rule').map((of): PredicateManifest => ({ kind: 'not', of })),
    ),
  })).rule
}
