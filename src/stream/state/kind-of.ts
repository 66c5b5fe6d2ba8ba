// Which implementation a declared state has. A new kind does not compile until it stands here.
import type { StateManifest } from '../../define/manifest.ts'
import { distinctKind } from './distinct-kind.ts'
import { ewmaKind } from './ewma-kind.ts'
import { expiringSetKind } from './expiring-set-kind.ts'
import { learnerKind } from './learner-kind.ts'
import { mapKind } from './map-kind.ts'
import { momentsKind } from './moments-kind.ts'
import { quantilesKind } from './quantiles-kind.ts'
import type { Kind } from './slot.ts'
import { topKind } from './top-kind.ts'
import { valueKind } from './value-kind.ts'
import { windowKind } from './window-kind.ts'

// biome-ignore lint/suspicious/noExplicitAny: the cells of each kind are its own affair
export function kindOf(state: StateManifest): Kind<any> {
  switch (state.kind) {
    case 'value':
      return valueKind(state.type)
    case 'map':
      return mapKind(state.key, state.type, state.withinMs)
    case 'expiringSet':
      return expiringSetKind(state.type, state.withinMs)
    case 'window':
      return windowKind(state.withinMs, state.panes)
    case 'ewma':
      return ewmaKind(state.windowMs)
    case 'moments':
      return momentsKind()
    case 'top':
      return topKind(state.type, state.size, state.counters)
    case 'distinct':
      return distinctKind(state.type, state.precision)
    case 'quantiles':
      return quantilesKind(state.accuracy)
    case 'logistic':
    case 'regression':
      return learnerKind(state)
  }
}
