// What of a manifest is encrypted. Whatever is computed from an encrypted relation is so too, unless its definition says that it
// need not be; what a pipeline keeps of an encrypted input is in any case.
import type { Manifest, ProcessorManifest, Relation } from './manifest.ts'

/** Names of the relations whose tables and topics are encrypted. */
export const encryptedRelations = ({ relations }: Pick<Manifest, 'relations'>): ReadonlySet<string> =>
  new Set(relations.flatMap((relation) => (relation.encrypted ? [relation.name] : [])))

/** Relations that one reads, by name. */
export const inputsOf = (relation: Relation, processors: readonly ProcessorManifest[]): readonly string[] => {
  if (relation.kind === 'model') return relation.inputs
  const processor = relation.kind === 'stream' ? processors.find(({ name }) => name === relation.name) : undefined
  return processor ? [processor.from, ...Object.values(processor.broadcast ?? {})] : []
}

/** Whose keys the state of a pipeline is encrypted with, by the name of the relation that it makes; null: it is not. */
export function stateScope(manifest: Pick<Manifest, 'relations' | 'processors'>, makes: string): string | null {
  const encrypted = encryptedRelations(manifest)
  const relation = manifest.relations.find(({ name }) => name === makes)
  if (!relation) return null
  return encrypted.has(makes) || inputsOf(relation, manifest.processors).some((input) => encrypted.has(input)) ? makes : null
}
