/** Texts of what screening found and does in Chinese, beside those that all pages share. */
export default {
  "chart.figures": "查看数字",
  "chart.said": "{name}：当前 {now}，最高 {most}",
  "chart.when": "时间",
  "level.chat": "聊天",
  "level.lesson": "整个课堂",
  "level.pause": "暂停",
  "level.person": "单个人",
  "level.picture": "画面",
  "measure.allow": "放行",
  "measure.blank": "切断画面",
  "measure.cut": "切断课堂",
  "measure.hide": "暂扣发言",
  "measure.log": "仅记录",
  "measure.mute": "禁言",
  "measure.pause": "暂停课堂",
  "measure.warn": "提醒教师",
  "mode.keyframes": "只看关键帧",
  "mode.screened": "先审后播，延迟 {n} 秒",
  "mode.watch": "边播边审"
};
