/** How much a cut takes away, in words. */
export const LEVEL_NAMES = {
  chat: 'level.chat', picture: 'level.picture', pause: 'level.pause', lesson: 'level.lesson', person: 'level.person',
};
