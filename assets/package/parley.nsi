; The installer for Windows: into the user's own folders, without an administrator. scripts/windows runs it.
;
;   parley-setup.exe /S             install without questions
;   uninstall.exe /S                remove it, and keep the settings
Target amd64-unicode
Name "Parley"
OutFile "${OUT}\parley-setup.exe"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\Parley"
InstallDirRegKey HKCU "Software\Parley" "Folder"
SetCompressor /SOLID lzma
Icon "${OUT}\parley.ico"
UninstallIcon "${OUT}\parley.ico"
LicenseData "${OUT}\LICENSE.txt"

Page license
Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\Parley"
!define SCHEME "Software\Classes\parley"

Section "Parley"
	SetOutPath "$INSTDIR"
	; Fails with a question to try again while the app runs, and ends a silent installation.
	ClearErrors
	File "${OUT}\parley.exe"
	IfErrors 0 +2
	Abort "Close Parley first."
	File "${OUT}\LICENSE.txt"
	WriteUninstaller "$INSTDIR\uninstall.exe"
	CreateShortcut "$SMPROGRAMS\Parley.lnk" "$INSTDIR\parley.exe"

	WriteRegStr HKCU "${SCHEME}" "" "URL:Parley meeting"
	WriteRegStr HKCU "${SCHEME}" "URL Protocol" ""
	WriteRegStr HKCU "${SCHEME}\DefaultIcon" "" "$INSTDIR\parley.exe,0"
	WriteRegStr HKCU "${SCHEME}\shell\open\command" "" '"$INSTDIR\parley.exe" "%1"'

	WriteRegStr HKCU "Software\Parley" "Folder" "$INSTDIR"
	WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "Parley"
	WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
	WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\parley.exe"
	WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
	WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
	WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
SectionEnd

Section "Uninstall"
	Delete "$INSTDIR\parley.exe"
	Delete "$INSTDIR\LICENSE.txt"
	Delete "$INSTDIR\uninstall.exe"
	RMDir "$INSTDIR"
	Delete "$SMPROGRAMS\Parley.lnk"
	DeleteRegKey HKCU "${SCHEME}"
	DeleteRegKey HKCU "Software\Parley"
	DeleteRegKey HKCU "${UNINSTALL}"
SectionEnd
