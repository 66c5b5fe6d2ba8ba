// Mantine carries menus and dialogs only; its colours are our tokens, so it has no palette of its own on any page.
import { createTheme } from '@mantine/core'

export const theme = createTheme({
  fontFamily: 'var(--sans)',
  fontFamilyMonospace: 'var(--mono)',
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusClassName: '',
})

/** Variables that Mantine's own rules read, in both schemes. */
const variables = {
  '--mantine-color-body': 'var(--bg-raised)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text-3)',
  '--mantine-color-default-border': 'var(--line)',
  '--mantine-color-default-hover': 'var(--bg-hover)',
  '--mantine-primary-color-filled': 'var(--accent)',
}
export const resolver = () => ({ variables, light: {}, dark: {} })
