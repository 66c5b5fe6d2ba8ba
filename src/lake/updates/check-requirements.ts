// What a commit relies on (Iceberg REST, TableRequirement): all of it holds on the newest metadata, or nothing is done.
// Pure; called again on every try, so that a lost race is retried only while the client's own view still holds.
import { MillraceError } from '../../core/errors.ts'
import type { TableMetadata } from '../table-metadata.ts'
import { failed, type Requirement } from './update.ts'

/** `base` is undefined while there is no table. @throws MR_LAKE_CONFLICT; MR_LAKE_TABLE_EXISTS for `assert-create`. */
export function checkRequirements(name: string, base: TableMetadata | undefined, requirements: readonly Requirement[]): void {
  for (const requirement of requirements) {
    if (requirement.type === 'assert-create') {
      if (base) throw new MillraceError('MR_LAKE_TABLE_EXISTS', `Requirement failed: table already exists: ${name}`, { fix: 'load it' })
    } else if (!base) throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `Table does not exist: ${name}`, { fix: 'create it first' })
    else if (requirement.type === 'assert-ref-snapshot-id') checkRef(base, requirement)
    else checkMember(base, requirement)
  }
}

function checkRef(base: TableMetadata, requirement: Requirement): void {
  const name = String(requirement['ref'])
  const id = requirement['snapshot-id']
  const expected = id === null || id === undefined ? null : BigInt(id as number | bigint)
  const ref = Object.hasOwn(base.refs, name) ? base.refs[name]! : null
  const actual = ref?.['snapshot-id'] ?? null
  if (actual === expected) return
  const what = `${ref?.type ?? 'branch or tag'} ${name}`
  if (expected === null) throw failed(`Requirement failed: ${what} was created concurrently`)
  if (actual === null) throw failed(`Requirement failed: ${what} is missing, expected ${expected}`)
  throw failed(`Requirement failed: ${what} has changed: expected id ${expected} != ${actual}`)
}

/** Requirement -> what it is called in messages, its member, the member of the metadata. */
const MEMBERS: Readonly<Record<string, readonly [string, string, keyof TableMetadata]>> = {
  'assert-table-uuid': ['UUID does not match', 'uuid', 'table-uuid'],
  'assert-last-assigned-field-id': ['last assigned field id changed', 'last-assigned-field-id', 'last-column-id'],
  'assert-current-schema-id': ['current schema changed', 'current-schema-id', 'current-schema-id'],
  'assert-last-assigned-partition-id': ['last assigned partition id changed', 'last-assigned-partition-id', 'last-partition-id'],
  'assert-default-spec-id': ['default partition spec changed', 'default-spec-id', 'default-spec-id'],
  'assert-default-sort-order-id': ['default sort order changed', 'default-sort-order-id', 'default-sort-order-id'],
}

function checkMember(base: TableMetadata, requirement: Requirement): void {
  const [words, member, of] = MEMBERS[requirement.type]!
  const [expected, actual] = [String(requirement[member]), String(base[of])]
  const isSame = member === 'uuid' ? expected.toLowerCase() === actual.toLowerCase() : expected === actual
  if (!isSame) throw failed(`Requirement failed: ${words}: expected ${member === 'uuid' ? '' : 'id '}${expected} != ${actual}`)
}
