// What is made from what: the graph of the project, whole or around one relation, down to columns.
import type { Clocked } from './admin.ts'
import type { NodeFlow } from './flows.ts'
import type { CheckCounts, Freshness } from './relations.ts'

export type NodeKind = 'source' | 'stream' | 'table' | 'model' | 'processor' | 'endpoint' | 'dashboard' | 'sink' | 'alert'

export interface LineageNode {
  /** `<kind>:<name>`; relations are `relation:<name>`. */
  readonly id: string
  readonly kind: NodeKind
  readonly name: string
  /** 'incremental', 'http', '3 tiles'. */
  readonly note: string
  /** Relations only. */
  readonly freshness?: Freshness
  readonly checks?: CheckCounts | null
  /** Sinks, and sources that are topics. */
  readonly flow?: NodeFlow
  readonly at?: string
  readonly doc?: string
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly unit?: string
    readonly pii?: string
    readonly made?: string
  }[]
}

export interface Lineage extends Clocked {
  readonly nodes: readonly LineageNode[]
  /** `stopped`: nothing passes at the moment (the source fails or the input is held back). */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly stopped: boolean }[]
  /** `value`: makes the value; `filter`: joins, filters or groups. */
  readonly columns: readonly {
    readonly from: { readonly node: string; readonly column: string }
    readonly to: { readonly node: string; readonly column: string }
    readonly role: 'value' | 'filter'
    readonly note: string
  }[]
}
