/** Texts of what screening found and does in English, beside those that all pages share. */
export default {
  "chart.figures": "Figures",
  "chart.said": "{name}: now {now}, highest {most}",
  "chart.when": "When",
  "level.chat": "chat",
  "level.lesson": "whole class",
  "level.pause": "suspension",
  "level.person": "one person",
  "level.picture": "picture",
  "measure.allow": "Let through",
  "measure.blank": "Picture cut",
  "measure.cut": "Class cut",
  "measure.hide": "Held back",
  "measure.log": "Noted",
  "measure.mute": "Muted",
  "measure.pause": "Class suspended",
  "measure.warn": "Instructor warned",
  "mode.keyframes": "Looks at keyframes",
  "mode.screened": "Screened before shown, {n} s behind",
  "mode.watch": "Looks while it is shown"
};
