"""Telling people: messages that wait on disk until they are sent by the channels in flowrex.notify.

spool      one file for each message and channel, until it is sent or given up
task       sends what is due, with back-off
alarms     tells of each alarm once when it is raised and once when it is over
"""
