"""Schedules: what EventBridge's cron, rate and at expressions mean, and when they fire."""
